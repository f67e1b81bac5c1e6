"""The engine of a board at a port: a core in silicon, or a virtual board that stands in for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.link import USB_IDS
from ..linked import Linked
from ..program import Program
from ..runtime import TransportError, run_sync
from ..runtime.resident import Turn, run_turns
from ..runtime.samples import run_samples
from ..runtime.serial_transport import SerialTransport
from .engine import EngineRun, Progress, machine_run, silent

if TYPE_CHECKING:
    from ...boards.board import Board
    from ..runtime.serial_line import SerialLine

__all__ = ["BoardEngine", "board_line"]


_COUNTED = 4
"""Samples whose counters are read: the others' would be the same, and take time on the line."""


@dataclass(frozen=True)
class BoardEngine:
    """A board behind the ordinary driver.

    Parameters
    ----------
    board : Board
        With the link that it is reached over.
    port : str
        As `open_port` and `open_spi` take it, or ``"auto"``: whatever the board is plugged in at.
    bits_per_second : int, optional
        On the link, where not the board's own.
    loaded : bool
        The core has loaded the program by itself, and is only asked whether it is that one.
    """

    board: Board
    port: str
    bits_per_second: int | None = None
    loaded: bool = False

    @property
    def name(self) -> str:
        """That of the board."""
        return self.board.name

    def run(
        self,
        program: Program,
        levels: NDArray[np.int64],
        *,
        progress: Progress = silent,
        dump_layers: int = 0,
        keep_tensors: bool = False,
    ) -> EngineRun:
        """See :class:`~.engine.Engine`."""
        transport = self._opened()
        samples = run_samples(
            transport,
            program,
            levels,
            dump_layers=dump_layers,
            counted=_COUNTED,
            loaded=self.loaded,
            progress=progress,
        )
        return machine_run(run_sync(samples), repeated=transport.repeated)

    def run_turns(self, linked: Linked, turns: Sequence[Turn], *, progress: Progress = silent) -> list[EngineRun]:
        """See :class:`~.engine.Engine`; requests that were sent again are those of all turns."""
        transport = self._opened()
        records = run_sync(run_turns(transport, linked, turns, loaded=self.loaded, progress=progress))
        return [machine_run(record, repeated=transport.repeated) for record in records]

    def _opened(self) -> SerialTransport:
        line = board_line(self.board, self.port, self.bits_per_second or self.board.bits_per_second)
        return run_sync(SerialTransport.open(line))


def board_line(board: Board, port: str, bits_per_second: int) -> SerialLine:
    """The line to a board at a port, over the link that it has.

    Raises
    ------
    ToolMissing, TransportError
        As `open_port` and `open_spi` do, and for the port ``"auto"`` as `find_port` does.
    """
    from ..runtime.serial_line import open_port
    from ..runtime.spi_bus import open_spi

    if port == "auto":
        port = _found_port(board)
    if board.link == "spi":
        return open_spi(port, hz=bits_per_second, select=board.ftdi_select)
    return open_port(port, baud=bits_per_second, holds_back=board.link == "usb")


def _found_port(board: Board) -> str:
    """The port of a board that is plugged in: that of its USB chip, or of the core itself."""
    from ..runtime.serial_ports import find_port

    if board.link == "spi":
        if board.usb_chip is None:
            raise TransportError(f"{board.title} has no USB chip for SPI: name the adapter's port with --port")
        return "ftdi://{:#06x}:{:#06x}/1".format(*board.usb_chip)
    return find_port(USB_IDS if board.link == "usb" else board.usb_chip, board.title)
