"""The boards by name."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from ..hw.spec.errors import among
from . import (
    arty,
    icebreaker,
    icebreaker_stream,
    orangecrab,
    tang_nano,
    ulx3s,
    ulx3s_1024,
    ulx3s_bytes,
    ulx3s_sdram,
    upduino,
)
from .board import Board, BoardError

__all__ = ["BOARDS", "find_board"]

BOARDS = {
    module.BOARD.name: module.BOARD
    for module in (
        icebreaker,
        upduino,
        ulx3s,
        ulx3s_1024,
        ulx3s_bytes,
        ulx3s_sdram,
        icebreaker_stream,
        orangecrab,
        tang_nano,
        arty,
    )
}


def find_board(name: str | os.PathLike[str]) -> Board:
    """The board of a name, or of a Python file that defines ``BOARD`` (docs/own_board.md).

    Raises
    ------
    BoardError
        If there is none, or the file cannot be run.
    """
    if isinstance(name, os.PathLike) or name.endswith(".py"):
        return _board_of_file(Path(name))
    if name not in BOARDS:
        raise BoardError(f"there is no board {name!r}: {among(name, 'boards', BOARDS)}")
    return BOARDS[name]


def _board_of_file(path: Path) -> Board:
    if not path.is_file():
        raise BoardError(f"cannot read board {path}: no such file")
    try:
        board = runpy.run_path(str(path), run_name=path.stem).get("BOARD")
    except Exception as error:  # it is anybody's code
        raise BoardError(f"cannot read board {path}: {type(error).__name__}: {error}") from error
    if not isinstance(board, Board):
        raise BoardError(f"{path} defines no BOARD: BOARD = narrows.boards.board.Board(...), see docs/own_board.md")
    return board
