"""measure_activity: how often the signals of a core's modules change while it runs a sample."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ...sw.files import write_whole
from ...sw.program import Program
from .core_source import WrittenOnDemand
from .inference import Progress, run_program
from .saif import Switching, read_saif
from .simulators import ACTIVITY_FILE, ACTIVITY_SIMULATOR

__all__ = ["Activity", "measure_activity"]

_PERIOD_PS = 10_000
"""Of the bench's clock."""

_CORE = ("bench", "core")


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What switched in a core while it ran samples, their way in and out included.

    Parameters
    ----------
    samples, cycles : int
        How many, and clock cycles of all.
    modules : dict
        By path of instances within the core, the core itself the empty one: bits of a module's own signals, its ports
        among them, and how often they changed. Contents of memories are not among them.
    """

    samples: int
    cycles: int
    modules: dict[tuple[str, ...], Switching]

    def within(self, path: tuple[str, ...]) -> Switching:
        """A module with all that is in it."""
        own = [switching for place, switching in self.modules.items() if place[: len(path)] == path]
        return Switching(sum(each.bits for each in own), sum(each.toggles for each in own))

    def paths(self, depth: int) -> list[tuple[str, ...]]:
        """Modules down to so many levels below the core, in the order of the file."""
        return list(dict.fromkeys(place[:depth] for place in self.modules))


def measure_activity(
    program: Program,
    levels: ArrayLike,
    *,
    verilog: WrittenOnDemand,
    saif: Path | None = None,
    progress: Progress | None = None,
) -> Activity:
    """Simulate samples on a core and count.

    The first sample is simulated alone, and then all of them: what the loading of the program and the first sample take
    is in both, and in neither's difference. So at least two are needed.

    Parameters
    ----------
    program : Program
    levels : array of int, shape (N, C, H, W)
        Levels of the graph's input tensor, of two samples or more.
    verilog : WrittenOnDemand
        The core.
    saif : Path, optional
        Keep the file of the whole simulation there, for tools that reckon power from it.
    progress : callable, optional
        Told of samples done.

    Raises
    ------
    ValueError
        If there are fewer than two samples.
    ToolMissing, SimulationError
        As `simulate` does.
    """
    levels = np.asarray(levels)
    if len(levels) < 2:
        raise ValueError("activity is a difference: give two samples at least")
    counts = []
    with tempfile.TemporaryDirectory(prefix="narrows-activity-") as scratch:
        for part in (levels[:1], levels):
            folder = Path(scratch) / str(len(part))
            run_program(
                program,
                part,
                verilog=verilog,
                simulator=ACTIVITY_SIMULATOR,
                work_folder=folder,
                waves=True,
                progress=progress if len(part) > 1 else None,
            )
            counts.append(read_saif(folder / ACTIVITY_FILE))
        if saif is not None:
            write_whole(saif, (folder / ACTIVITY_FILE).read_bytes())
    first, all_of_them = counts
    modules = {
        place[len(_CORE) :]: Switching(own.bits, own.toggles - first.instances[place].toggles)
        for place, own in all_of_them.instances.items()
        if place[: len(_CORE)] == _CORE
    }
    cycles = (all_of_them.duration - first.duration) // _PERIOD_PS
    return Activity(samples=len(levels) - 1, cycles=cycles, modules=modules)
