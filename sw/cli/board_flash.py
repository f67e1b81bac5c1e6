"""The command that loads what was built onto a board: board flash."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError, ToolMissing
from ..linked import load_all
from .board import AnswerForm, Answers, BoardName, Folder, chosen_board
from .output import next_step, report_done

__all__ = ["flash_board"]


def flash_board(
    name: BoardName,
    program: Annotated[
        Path | None,
        typer.Option(
            "--program",
            metavar="M.nrw",
            help="Write bitstream and program to the board's flash: from then on it starts without a computer.",
        ),
    ] = None,
    answer: Answers = AnswerForm.LEVELS,
    folder: Folder = None,
) -> None:
    """Load the bitstream of an earlier `narrows board build` onto a board that is connected.

    With --program, after `narrows board build NAME --alone`, both go into the flash: at power-up the FPGA reads its
    bitstream and the core its program. Needs the board's own loader: openFPGALoader, for the OrangeCrab dfu-util. Where
    that is missing, the commands are shown.

    **Example**

        narrows board flash ulx3s --program model.nrw
    """
    from ...boards.flashing import IMAGE, flash_commands, write_image
    from ...boards.plan import bitstream_name

    board = chosen_board(name)
    place = folder or Path("build") / "boards" / name
    if program is not None:
        size = write_image(board, load_all(program), place, kind=answer.kind)
        report_done(f"{place / IMAGE}: {size:,} bytes")
    elif not (place / bitstream_name(board)).exists():
        raise InputError(f"there is no {place / bitstream_name(board)}: build it first, narrows board build {name}")
    commands = flash_commands(board, place, alone=program is not None)
    if shutil.which(commands[0][0]) is None:
        shown = " && ".join(shlex.join(command) for command in commands)
        raise ToolMissing(f"{commands[0][0]} is missing: install it, then {shown}")
    for command in commands:
        status = subprocess.run(command, check=False).returncode
        if status:
            raise ToolMissing(
                f"{command[0]} could not load {command[-1]} (exit status {status}): is the board connected?"
            )
    report_done(f"{place / bitstream_name(board)} is on the board" + (f", and {program}" if program else ""))
    if program is not None:
        next_step(f"narrows board run {name} {program} --loaded --port auto --input samples.npz")
