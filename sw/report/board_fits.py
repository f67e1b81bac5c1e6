"""board_fits: on which boards a program's network runs and how fast, and whether the program's own core goes there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.errors import NarrowsError
from ...hw.spec.registers import Region, region_stride
from ...hw.spec.schedule import DeadlockError
from ...hw.spec.transfer_cycles import BusTiming
from ..compile import compile_graph
from ..costs.cells import DEVICES, estimate_cells
from ..costs.clocks import estimate_clock
from ..costs.timeline import timeline
from ..program import Program
from ..runtime.feed import feed_of

__all__ = ["BoardCore", "BoardFit", "CoreFit", "board_fits", "core_fit", "sample_bytes"]

_BITS_A_BYTE = {"uart": 10, "spi": 8}
"""On the lines whose rate is known; what USB takes depends on the host."""


@dataclass(frozen=True, kw_only=True)
class BoardCore:
    """A board as its file describes it.

    Parameters
    ----------
    name, device : str
        Its own and its FPGA's.
    config : AcceleratorConfig
        Of the core on it.
    mhz : float
        The core's clock.
    link : str
    bits_per_second : int
        On the link.
    target : str or None
        The device of `cells.DEVICES` that its FPGA is, if there is one.
    """

    name: str
    device: str
    config: AcceleratorConfig
    mhz: float
    link: str
    bits_per_second: int
    target: str | None


@dataclass(frozen=True, kw_only=True)
class CoreFit:
    """A core on a device: estimated look-up tables and block RAMs, what there is of them, the clock, and samples a
    second at that."""

    luts: int
    device_luts: int
    brams: int
    device_brams: int
    fits: bool
    mhz: float
    answers: float


@dataclass(frozen=True, kw_only=True)
class BoardFit:
    """A network on a board.

    Parameters
    ----------
    name, device : str
    mhz : float
    cycles : int
        Of a sample on the board's own core; 0 if it does not fit there.
    answers : float
        Samples a second at the board's clock.
    line_answers : float or None
        Samples a second of which the link brings the bytes, at most: nothing else is on it, and nothing is answered.
    lacking : str
        Why it does not fit on the board's own core.
    core : CoreFit or None
        The program's own core on the board's FPGA; None where cells are not estimated for that.
    """

    name: str
    device: str
    mhz: float
    cycles: int = 0
    answers: float = 0.0
    line_answers: float | None = None
    lacking: str = ""
    core: CoreFit | None = None


def board_fits(program: Program, cycles: int, boards: Iterable[BoardCore], bus: BusTiming) -> list[BoardFit]:
    """A program's network on every board; it is compiled for each core that boards have, once.

    Parameters
    ----------
    program : Program
    cycles : int
        Of a sample on its own core.
    boards : iterable of BoardCore
    bus : BusTiming
        Of backing stores.
    """
    tried: dict[str, Program | str] = {program.config.digest: program}
    fits = []
    for board in boards:
        if board.config.digest not in tried:
            tried[board.config.digest] = _compiled(program, board.config)
        found = tried[board.config.digest]
        core = None if board.target is None else core_fit(program.config, cycles, board.target)
        fits.append(_on_board(board, found, core, bus))
    return fits


def _compiled(program: Program, config: AcceleratorConfig) -> Program | str:
    """The network for another core, or why there is none."""
    try:
        return compile_graph(program.graph, config)
    except NarrowsError as error:
        return str(error)


def _on_board(board: BoardCore, found: Program | str, core: CoreFit | None, bus: BusTiming) -> BoardFit:
    row = {"name": board.name, "device": board.device, "mhz": board.mhz, "core": core}
    if isinstance(found, str):
        return BoardFit(**row, lacking=found)
    try:
        cycles = timeline(found, bus).cycles
    except DeadlockError as error:
        return BoardFit(**row, lacking=str(error))
    bits = _BITS_A_BYTE.get(board.link)
    line = None if bits is None else board.bits_per_second / (bits * sample_bytes(found, board.config))
    return BoardFit(**row, cycles=cycles, answers=1e6 * board.mhz / cycles, line_answers=line)


def core_fit(config: AcceleratorConfig, cycles: int, target: str) -> CoreFit:
    """Estimates of a core on a device of `cells.DEVICES`, for a network of so many cycles."""
    cells, clock, device = estimate_cells(config), estimate_clock(config), DEVICES[target]
    return CoreFit(
        luts=cells.luts,
        device_luts=device.luts,
        brams=cells.brams,
        device_brams=device.brams,
        fits=cells.fits(device),
        mhz=clock.mhz,
        answers=1e6 * clock.mhz / cycles,
    )


def sample_bytes(program: Program, config: AcceleratorConfig) -> int:
    """Bytes of a sample on a link: of a frame where the core lays it out, else of words of the activation memory."""
    name = program.graph.input.tensor
    if config.frame_bytes and feed_of(program, config) is not None:
        return math.prod(program.graph.tensors[name].shape)
    return program.layouts[name].size * region_stride(config, Region.ACTIVATIONS)
