"""infer_shapes: shapes of a model's values as ONNX infers them, of models that mean harm, too."""

from __future__ import annotations

import faulthandler
import os
import warnings

import onnx
import onnx.shape_inference
from onnx import GraphProto, ModelProto

from ..errors import ModelError

__all__ = ["infer_shapes"]

_FATAL = frozenset({"Slice"})
"""Operators whose inference ends the process where an axis of their input has no positive size: ONNX's packages are
built with a C++ library that checks its arguments, and does so by `abort`."""


def infer_shapes(model: ModelProto) -> ModelProto:
    """The model with types and shapes of its values.

    One with an operator whose inference may end the process is tried in a child first, where there can be one.

    Raises
    ------
    ModelError
        If the inference ended it.
    Exception
        Whatever ONNX raises.
    """
    if _may_end(model.graph) and not _survived(model):
        raise ModelError("the model's shapes make no sense: a Slice cuts an axis without elements; export it again")
    return onnx.shape_inference.infer_shapes(model)


def _may_end(graph: GraphProto) -> bool:
    inner = (attribute for node in graph.node for attribute in node.attribute)
    return any(node.op_type in _FATAL for node in graph.node) or any(
        _may_end(body) for attribute in inner for body in (*attribute.graphs, attribute.g)
    )


def _survived(model: ModelProto) -> bool:
    """Whether the inference in a child process came to an end."""
    if not hasattr(os, "fork"):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, none of which the child needs
        child = os.fork()
    if not child:
        try:
            import resource  # where there is no fork there may be none

            faulthandler.disable()
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            onnx.shape_inference.infer_shapes(model)
        finally:
            os._exit(0)
    return not os.WIFSIGNALED(os.waitpid(child, 0)[1])
