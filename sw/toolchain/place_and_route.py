"""place_and_route: a synthesised core on a device: clock over seeds, critical path and cells by module, floorplan."""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..tasks import HERE, Workers, in_order
from .placement import Placement, read_report
from .programs import ToolRun, run_tool
from .synthesis import SynthesisReport, module_names, module_of, synthesise

__all__ = [
    "CLOCK_PIN",
    "DEVICES",
    "PINS",
    "PLACEMENT",
    "Design",
    "Floorplan",
    "PlacedCore",
    "PnrReport",
    "place",
    "place_and_route",
    "synthesised",
]


@dataclass(frozen=True, kw_only=True)
class _Device:
    """How nextpnr is told of a device, and which family it belongs to."""

    family: str
    arguments: tuple[str, ...]


_ROUTER = ("--router", "router2")
_TIMING_WEIGHT = ("--placer-heap-timingweight", "120")

PLACEMENT: Mapping[str, tuple[str, ...]] = {"ecp5": (*_ROUTER, *_TIMING_WEIGHT), "ice40": _ROUTER, "gowin": ()}
"""Options of nextpnr by family.

Its first router fails on a full iCE40, and takes hours for 768 multiply-accumulate units. With its own weight of slow
wires, 10, the placer ``heap`` gives the ULX3S's core 91 and 97 MHz before routing, with 120 it gives 115 (seeds 2, 1).
"""

PINS = "pins.lpf"
"""File of an ECP5's constraints, beside its netlist."""

_NETLIST = "netlist.json"

_ECP5 = ("--package", "CABGA381", "--speed", "6", "--lpf", PINS, "--lpf-allow-unconstrained")
CLOCK_PIN = 'LOCATE COMP "clk" SITE "G2";\n'
"""From here a clock reaches the ECP5's clock network; where pins lie anywhere, it may not, and then routing fails."""

DEVICES: Mapping[str, _Device] = {
    "lfe5u-85f": _Device(family="ecp5", arguments=("--85k", *_ECP5)),
    "lfe5u-45f": _Device(family="ecp5", arguments=("--45k", *_ECP5)),
    "lfe5u-25f": _Device(family="ecp5", arguments=("--25k", *_ECP5)),
    "ice40up5k": _Device(family="ice40", arguments=("--up5k", "--package", "sg48", "--pcf-allow-unconstrained")),
    "ice40hx8k": _Device(family="ice40", arguments=("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained")),
}
"""Devices by name; ECP5 in speed grade 6. The first of a family is its default."""


@dataclass(frozen=True, kw_only=True)
class Floorplan:
    """Cells of a placed design: column, row and module of each."""

    cells: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, kw_only=True)
class PnrReport:
    """A core placed and routed with some seeds.

    Parameters
    ----------
    device : str
    synthesis : SynthesisReport
    placements : dict of Placement
        By seed.
    floorplan : Floorplan
        Of the seed with the median clock.
    steps : tuple of ToolRun
        Of the placements.
    """

    device: str
    synthesis: SynthesisReport
    placements: Mapping[int, Placement]
    floorplan: Floorplan
    steps: tuple[ToolRun, ...]

    @property
    def median_seed(self) -> int:
        """Seed whose clock is the median, the lower one of two."""
        median = statistics.median_low(placed.fmax_mhz for placed in self.placements.values())
        return next(seed for seed, placed in self.placements.items() if placed.fmax_mhz == median)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON holds it, without the floorplan's cells."""
        clocks = {seed: placed.fmax_mhz for seed, placed in self.placements.items()}
        median = self.placements[self.median_seed]
        return {
            "device": self.device,
            **self.synthesis.to_dict(),
            "fmax_mhz": {"median": median.fmax_mhz, "low": min(clocks.values()), "high": max(clocks.values())},
            "fmax_of_seeds": clocks,
            "critical_path": [asdict(step) for step in median.path],
            "used": dict(median.used),
            "available": dict(median.available),
            "steps": [asdict(step) for step in self.steps],
        }


@dataclass(frozen=True, kw_only=True)
class Design:
    """A synthesised core to be placed on a device, aiming for a clock; its netlist is compressed."""

    device: str
    mhz: float
    netlist: bytes
    modules: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class PlacedCore:
    """A core placed and routed with one seed."""

    step: ToolRun
    placement: Placement
    floorplan: Floorplan


def place_and_route(
    verilog: str,
    device: str,
    *,
    mhz: float,
    seeds: tuple[int, ...] = (1, 2, 3),
    top: str = "narrows_core",
    techmap: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
    workers: Workers = HERE,
) -> PnrReport:
    """Synthesise a core, place and route it on a device with each seed.

    Pins go anywhere, but for an ECP5's clock: the device must have as many as the core.

    Parameters
    ----------
    verilog : str
    device : str
        One of `DEVICES`.
    mhz : float
        The clock to aim for.
    seeds : tuple of int
    top, techmap : str
        As `synthesise` takes them.
    progress : callable
        Called with (placements done, placements in all).
    workers : Workers
        What runs the placements.

    Raises
    ------
    ToolMissing, ToolFailed, SynthesisError
        If a program is not there or fails, because the core does not fit, say.
    """
    synthesis, design = synthesised(verilog, device, mhz=mhz, top=top, techmap=techmap)
    placed = dict(zip(seeds, in_order(workers, place, design, seeds, progress), strict=True))
    report = PnrReport(
        device=device,
        synthesis=synthesis,
        placements={seed: each.placement for seed, each in placed.items()},
        floorplan=Floorplan(cells=()),
        steps=tuple(each.step for each in placed.values()),
    )
    return PnrReport(**{**vars(report), "floorplan": placed[report.median_seed].floorplan})


def synthesised(
    verilog: str, device: str, *, mhz: float, top: str = "narrows_core", techmap: str = ""
) -> tuple[SynthesisReport, Design]:
    """Synthesise a core for a device; parameters and errors are those of `place_and_route`."""
    with tempfile.TemporaryDirectory(prefix="narrows-synthesis-") as scratch:
        netlist = Path(scratch) / _NETLIST
        report = synthesise(verilog, DEVICES[device].family, top=top, techmap=techmap, netlist=netlist)
        content = zlib.compress(netlist.read_bytes())
    return report, Design(device=device, mhz=mhz, netlist=content, modules=module_names(verilog, top))


def place(design: Design, seed: int) -> PlacedCore:
    """Place and route a design with a seed; errors are those of `place_and_route`."""
    chosen, modules = DEVICES[design.device], design.modules
    with tempfile.TemporaryDirectory(prefix="narrows-placement-") as scratch:
        folder = Path(scratch)
        (folder / PINS).write_text(CLOCK_PIN, encoding="utf-8")
        (folder / _NETLIST).write_bytes(zlib.decompress(design.netlist))
        files = ("--json", _NETLIST, "--report", "report.json", "--write", "placed.json")
        aims = ("--quiet", "--freq", f"{design.mhz:g}", "--seed", f"{seed}", "--timing-allow-fail", "--log", "log")
        step = run_tool(
            f"nextpnr-{chosen.family}", [*chosen.arguments, *PLACEMENT[chosen.family], *aims, *files], folder, "log"
        )
        placement = read_report(folder / "report.json", lambda cell: module_of(cell, modules))
        return PlacedCore(step=step, placement=placement, floorplan=_floorplan(folder / "placed.json", modules))


def _floorplan(path: Path, modules: frozenset[str]) -> Floorplan:
    """Places of the cells in a netlist that nextpnr wrote."""
    [module] = [
        module
        for module in json.loads(path.read_text(encoding="utf-8"))["modules"].values()
        if any("NEXTPNR_BEL" in cell["attributes"] for cell in module["cells"].values())
    ]
    cells = []
    for name, cell in module["cells"].items():
        place = re.match(r"X(\d+)/Y(\d+)/", cell["attributes"].get("NEXTPNR_BEL", ""))
        if place:
            cells.append((int(place[1]), int(place[2]), module_of(name, modules)))
    return Floorplan(cells=tuple(cells))
