"""The built-in model's programs, for the tests of this folder."""

from digits_fixtures import graph, program, quantised, streamed

__all__ = ["graph", "program", "quantised", "streamed"]
