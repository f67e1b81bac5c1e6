"""Somebody else's arithmetic: other runtimes evaluate a model's file, and its import is held against them."""

from .judge import Verdict, judge

__all__ = ["Verdict", "judge"]
