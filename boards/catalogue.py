"""The boards by name."""

from __future__ import annotations

from . import arty, icebreaker, orangecrab, tang_nano, ulx3s, ulx3s_1024, upduino
from .board import Board, BoardError

__all__ = ["BOARDS", "find_board"]

BOARDS = {
    module.BOARD.name: module.BOARD for module in (icebreaker, upduino, ulx3s, ulx3s_1024, orangecrab, tang_nano, arty)
}


def find_board(name: str) -> Board:
    """The board of a name.

    Raises
    ------
    BoardError
        If there is none.
    """
    if name not in BOARDS:
        raise BoardError(f"there is no board {name!r}: the boards are {', '.join(BOARDS)}")
    return BOARDS[name]
