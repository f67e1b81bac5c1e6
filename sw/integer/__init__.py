"""Kinds of integer layers, one a file, and the tensors of levels between them; `quantised` names what others use."""
