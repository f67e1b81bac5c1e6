"""Cores as files and in numbers: Verilog with what goes beside it, resources, placements."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.errors import among
from ..errors import InputError
from ..extras import need
from ..results import writable_folder, write_text
from ..targets import TARGETS, find_target
from ..tasks import HERE, Workers

if TYPE_CHECKING:
    from ..linked import Linked
    from ..listener import Listener
    from ..program import Program
    from ..toolchain.place_and_route import PnrReport
    from ..toolchain.synthesis import SynthesisReport

__all__ = [
    "WRAPPERS",
    "CoreEstimate",
    "described",
    "estimate_core",
    "place_core",
    "synthesise_core",
    "wrapped",
    "write_core",
]

WRAPPERS = ("axi", "wishbone", "spi", "bare", "stream")
"""Ports of a core for other people's designs; ``stream`` is ``axi`` with AXI4-Streams of frames and answers beside
it."""

_FRAME_BYTES = 4096
"""Of a core that gets streams and has no frame memory."""


@dataclass(frozen=True, kw_only=True)
class CoreEstimate:
    """What a core is estimated to take of an ECP5: LUT4 with carry as packed, block RAMs, clock in speed grade 6.

    ``error`` and ``mhz_error`` are the largest on cores that the estimates were not fitted to, as shares.
    """

    luts: int
    brams: int
    error: float
    mhz: float
    mhz_error: float


def write_core(
    core: AcceleratorConfig,
    path: Path,
    *,
    wrapper: str | None = None,
    mhz: float = 50.0,
    program: Program | Linked | None = None,
    audio: bool = False,
) -> list[Path]:
    """Write a core's Verilog, and with a wrapper what a design around it needs, beside it; with ``audio`` the front end
    of keyword models in C, too.

    Returns
    -------
    list of Path
        What was written, the Verilog first.

    Raises
    ------
    InputError
        If there is no such wrapper, or ``audio`` without one.
    """
    writable_folder(path)
    need("amaranth", "cores", "generator")
    from ...hw.verilog import to_verilog
    from ..standalone import standalone_files

    if audio and wrapper is None:
        raise InputError("the front end of keyword models goes beside the C driver: choose a wrapper, too")
    if wrapper is not None:
        if wrapper not in WRAPPERS:
            raise InputError(f"unknown wrapper {wrapper!r}: {among(wrapper, 'wrappers', WRAPPERS)}")
        core = wrapped(core, wrapper)
    text = to_verilog(core)
    given = {"name": path.stem, "source": path.name}
    beside = standalone_files(core, text, **given, mhz=mhz, program=program, audio=audio) if wrapper else {}
    files = {path: text, **{path.parent / name: content for name, content in beside.items()}}
    for place, content in files.items():
        write_text(place, content)
    return list(files)


def wrapped(core: AcceleratorConfig, wrapper: str) -> AcceleratorConfig:
    """A core with the ports of one of `WRAPPERS`; programs are for either."""
    if wrapper != "stream":
        return dataclasses.replace(core, host=wrapper)
    return dataclasses.replace(core, host="axi", streams=1, frame_bytes=core.frame_bytes or _FRAME_BYTES)


def synthesise_core(core: AcceleratorConfig, target: str, listener: Listener) -> SynthesisReport:
    """Count a core's resources with Yosys, in the form that suits the family.

    Raises
    ------
    InputError
        If there is no such family.
    ToolMissing, SynthesisError
        If Yosys is missing or fails.
    """
    need("amaranth", "cores", "generator")
    from ...hw.verilog import TECHMAPS, to_verilog
    from ..toolchain.synthesis import synthesise

    family, _ = find_target(target)
    core = dataclasses.replace(core, fabric=family)
    with listener.progress(f"synthesising for {family}"):
        return synthesise(to_verilog(core), family, techmap=TECHMAPS.get(family, ""))


def estimate_core(core: AcceleratorConfig, target: str) -> CoreEstimate:
    """What a core is estimated to take; InputError for families other than ECP5."""
    from ..costs.cells import estimate_cells
    from ..costs.clocks import estimate_clock

    family, device = find_target(target)
    if device is None or not device.estimated:
        raise InputError(f"there are no estimates for {target}: leave out --estimate, or choose --target ecp5")
    core = dataclasses.replace(core, fabric=family)
    cells, clock = estimate_cells(core), estimate_clock(core)
    return CoreEstimate(luts=cells.luts, brams=cells.brams, error=cells.error, mhz=clock.mhz, mhz_error=clock.error)


def place_core(
    core: AcceleratorConfig,
    target: str,
    *,
    seeds: Sequence[int],
    mhz: float,
    listener: Listener,
    workers: Workers = HERE,
) -> tuple[str, PnrReport]:
    """Place and route a core, its host's port a UART for want of pins; the device, and what came of it.

    Raises
    ------
    InputError
        If there is no such target, or open tools do not place it.
    """
    from ...hw.verilog import TECHMAPS, to_verilog
    from ..toolchain.place_and_route import place_and_route

    family, device = find_target(target)
    if device is None or not device.device:
        placed = ", ".join(name for name, each in TARGETS.items() if each.device)
        raise InputError(f"--pnr does not place {target}: it places {placed}")
    core = dataclasses.replace(core, fabric=family, host="uart")
    with listener.progress(f"placing on {device.name}") as step:
        report = place_and_route(
            to_verilog(core),
            device.device,
            mhz=mhz,
            seeds=tuple(seeds),
            techmap=TECHMAPS[family],
            progress=step,
            workers=workers,
        )
    return device.name, report


def described(core: AcceleratorConfig) -> str:
    """A core in a line."""
    return (
        f"{core.rows} x {core.columns} x {core.lanes} = {core.macs} multiply-accumulates, "
        f"{core.acc_bits}-bit accumulators, {core.rescale_bits}-bit rescalers"
    )
