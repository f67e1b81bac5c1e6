"""write_image, flash_commands: what goes into the flash of a board that is alone, and the commands that write it."""

from __future__ import annotations

import json
from pathlib import Path

from ..hw.spec.answer import AnswerKind
from ..hw.spec.config import AcceleratorConfig, ConfigError
from ..sw.errors import InputError
from ..sw.files import write_whole
from ..sw.linked import Linked, first_of
from ..sw.program import Program
from ..sw.runtime.boot import boot_image
from ..sw.runtime.serving import serving_of
from .board import Board, BoardError
from .plan import CORE_PARAMETERS, NAME, bitstream_name

__all__ = ["IMAGE", "flash_commands", "write_image"]

IMAGE = f"{NAME}.boot"
"""File of a build that holds the program for the flash."""


def write_image(board: Board, program: Program | Linked, folder: Path, *, kind: AnswerKind | None = None) -> int:
    """Write a program, or several, as an image for the core of an earlier build, beside its bitstream. A core with
    streams then serves it, or the first of them, with answers of a ``kind`` (`serving_of`).

    Returns
    -------
    int
        Bytes of it.

    Raises
    ------
    InputError
        If the folder holds no build, or one whose core does not boot, or the program cannot be served.
    ProgramMismatch
        If that core is of another configuration.
    BoardError
        If the board has no flash for it, or bitstream or program are too large.
    """
    flash = board.boot_flash
    if flash is None:
        raise BoardError(f"{board.title} has no flash that its core could load a program from")
    again = f"narrows board build {board.name} --alone --program M.nrw"
    if not (folder / bitstream_name(board)).exists():
        raise InputError(f"there is no {folder / bitstream_name(board)}: build it first, {again}")
    try:
        core = AcceleratorConfig.from_dict(json.loads((folder / CORE_PARAMETERS).read_text(encoding="utf-8")))
    except (OSError, ValueError, ConfigError) as error:
        raise InputError(f"{folder} does not say what core was built there: build it again, {again}") from error
    if not core.boot:
        raise InputError(f"the core in {folder} does not load its program by itself: build it again, {again}")
    if (size := (folder / bitstream_name(board)).stat().st_size) > core.flash_offset:
        raise BoardError(f"the bitstream takes {size:,} bytes, the program lies behind {core.flash_offset:,}")
    image = boot_image(program, core, serving_of(first_of(program), core, kind) if core.streams else None)
    if core.flash_offset + len(image) > flash.size:
        raise BoardError(f"the program takes {len(image):,} bytes, the flash has {flash.size - core.flash_offset:,}")
    write_whole(folder / IMAGE, image)
    return len(image)


def flash_commands(board: Board, folder: Path, *, alone: bool) -> tuple[tuple[str, ...], ...]:
    """Commands that load a build's bitstream, or ``alone`` write the image and it to the flash."""
    bitstream = folder / bitstream_name(board)
    if not alone or board.boot_flash is None:
        return ((*board.flash, str(bitstream)),)
    return board.boot_flash.commands(bitstream, folder / IMAGE)
