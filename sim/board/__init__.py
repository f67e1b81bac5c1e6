"""A virtual board: a board's own top, simulated at its pins behind a pseudo-terminal."""

from .virtual_board import VirtualBoard

__all__ = ["VirtualBoard"]
