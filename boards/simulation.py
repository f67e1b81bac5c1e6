"""A board's own top with its core, for a simulator at the pins, and that simulator."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING
from unittest import mock

from ..hw.spec.link import SPI_DIVISOR
from ..hw.verilog import to_verilog
from .board import Board
from .litedram import sdram_controller
from .plan import NAME
from .top import BoardTop

if TYPE_CHECKING:
    from ..sim.board import VirtualBoard

__all__ = ["USB_DIVISOR", "board_verilog", "virtual_board"]

USB_DIVISOR = 8
"""Clock cycles of a bit on USB: the clock generator's model makes 48 MHz of every other cycle of the core's."""


def board_verilog(board: Board, *, divisor: int | None = None) -> str:
    """Verilog of module `plan.NAME`, with the pins' names of its platform, of the core below it, and of the chips at
    its pins.

    Clock generators and pin buffers are instances of the family's cells.

    Parameters
    ----------
    board : Board
    divisor : int, optional
        Clock cycles of a bit on the UART, where not the board's own.
    """
    from ..sim import flash
    from ..sim.sdram import chip_verilog

    config = board.config if divisor is None else dataclasses.replace(board.config, uart_divisor=divisor)
    platform = board.platform()
    # platforms ask for their programmer when they plan, but only flashing needs it
    with mock.patch.dict(os.environ, {"OPENFPGALOADER": os.environ.get("OPENFPGALOADER", "openFPGALoader")}):
        plan = platform.prepare(BoardTop(board, uart_divisor=config.uart_divisor), NAME, debug_verilog=True)
    top = plan.files[f"{NAME}.debug.v"]
    text = (top if isinstance(top, str) else top.decode()) + to_verilog(config)
    if board.alone:
        text += flash.chip_verilog(clock_mhz=board.clock_mhz)
    if board.sdram is None or (controller := sdram_controller(board)) is None:
        return text
    return text + controller + chip_verilog(board.sdram, clock_mhz=board.clock_mhz)


def virtual_board(board: Board, *, divisor: int, flash: bytes = b"") -> VirtualBoard:
    """A board's own top, simulated, with so many clock cycles to a bit on its UART; SPI is as fast as it may be, USB
    what it is to a core of 96 MHz. One that is alone finds ``flash`` behind its bitstream."""
    from ..sim.board import VirtualBoard

    bit = {"spi": SPI_DIVISOR, "usb": USB_DIVISOR}.get(board.link, divisor)
    return VirtualBoard(
        board_verilog(board, divisor=divisor),
        top=NAME,
        link=board.link,
        divisor=bit,
        flash=flash,
        flash_offset=board.config.flash_offset,
    )
