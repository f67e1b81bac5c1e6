"""The boards by name."""

from __future__ import annotations

import difflib

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
        near = difflib.get_close_matches(name.lower(), BOARDS, n=2)
        meant = f"did you mean {' or '.join(near)}? T" if near else "t"
        raise BoardError(f"there is no board {name!r}: {meant}he boards are {', '.join(BOARDS)}")
    return BOARDS[name]
