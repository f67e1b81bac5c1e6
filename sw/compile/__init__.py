"""The compiler: a quantised graph becomes a program for one configuration."""

from __future__ import annotations

from .compiler import compile_graph

__all__ = ["compile_graph"]
