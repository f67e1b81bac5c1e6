"""propose: configurations that reach a frame rate on a device, from the cycle model and an estimate of the cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ...hw.spec.config import PRESETS, AcceleratorConfig, ConfigError
from ..errors import CapacityError, InputError
from ..graph import Graph
from ..program import Program
from ..quantize import QuantSettings
from .cells import DEVICES, Cells, estimate_cells
from .sketch import estimate, functions
from .summary import memory_use
from .timeline import timeline

__all__ = ["Proposal", "memory_sizes", "propose"]

_SHAPES = [
    (rows, columns, lanes)
    for rows in (1, 2, 4, 8, 16)
    for columns in (2, 4, 8, 16)
    for lanes in (4, 8, 16)
    if rows * columns * lanes <= 1024
]
_ROOMY = AcceleratorConfig(act_words=65536, weight_words=65536, param_words=4096, taps=1024, blocks=1024)
_MEMORIES = {
    "weight words": ("weight_words", 16, 65536),
    "parameter words": ("param_words", 4, 65536),
    "taps": ("taps", 16, 1024),
    "blocks": ("blocks", 8, 1024),
    "instructions": ("instructions", 4, 1024),
}


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A configuration with memories just large enough, its cycles for a sample, and what it takes of a device."""

    config: AcceleratorConfig
    name: str
    cycles: int
    cells: Cells
    fits: bool
    fast: bool

    def fps(self, mhz: float) -> float:
        """Samples a second at a clock."""
        return 1e6 * mhz / self.cycles


def propose(
    graph: Graph,
    settings: Callable[[AcceleratorConfig], QuantSettings],
    *,
    device: str,
    fps: float,
    mhz: float,
    progress: Callable[[int, int], None],
) -> list[Proposal]:
    """Configurations for a model, the best first: those that fit and are fast enough by cells, then by cycles.

    Shapes are those of the presets and of a grid. Cycles are those of a program of made-up weights
    (`sketch.estimate`), cells are estimates (`cells.estimate_cells`): a configuration counts as fitting only if the
    estimate and its error together do.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac` and `MaxPool` layers only.
    settings : callable
        Formats for a configuration.
    device : str
        One of `cells.DEVICES`.
    fps : float
        Samples a second wanted.
    mhz : float
        Clock.
    progress : callable
        Called with (candidates done, candidates in all).

    Raises
    ------
    InputError
        If the device is unknown.
    CapacityError
        If no shape holds the model.
    """
    if device not in DEVICES:
        raise InputError(f"unknown target {device!r}: the targets are {', '.join(DEVICES)}")
    candidates = list(_candidates())
    found = []
    for number, (name, config) in enumerate(candidates):
        program = estimate(graph, config, settings(config)).program
        progress(number + 1, len(candidates))
        if program is None or program.config.has_backing:
            continue
        needed = memory_sizes(program)
        fitted = replace(config, **needed, tables=functions(graph)[1])
        cells, cycles = estimate_cells(fitted), timeline(program).cycles
        found.append(
            Proposal(
                config=fitted,
                name=name,
                cycles=cycles,
                cells=cells,
                fits=cells.fits(DEVICES[device]),
                fast=1e6 * mhz / cycles >= fps,
            )
        )
    if not found:
        raise CapacityError(
            "no core without a backing store holds this model: see `narrows doctor` for what is too large"
        )
    return sorted(found, key=lambda one: (not (one.fits and one.fast), not one.fits, *_rank(one)))


def memory_sizes(program: Program) -> dict[str, int]:
    """Parameters of memories with some room, since other weights and scales may take more rows than these."""
    used = memory_use(program)
    sizes = {}
    for memory, (key, least, most) in _MEMORIES.items():
        count = used[memory][0]
        sizes[key] = min(max(least, count + count // 4), most)
    words = used["activation words"][0]
    return sizes | {"act_words": max(64, 1 << (words - 1).bit_length())}


def _rank(one: Proposal) -> tuple[float, float]:
    """Among those that are fast enough the fewest cells, among the others the fewest cycles."""
    return (one.cells.luts, one.cycles) if one.fast else (one.cycles, one.cells.luts)


def _candidates() -> Iterator[tuple[str, AcceleratorConfig]]:
    known = {}
    for name, preset in PRESETS.items():
        known[preset.rows, preset.columns, preset.lanes] = name
        yield name, preset
    for shape in _SHAPES:
        if shape in known:
            continue
        rows, columns, lanes = shape
        try:
            config = replace(_ROOMY, rows=rows, columns=columns, lanes=lanes, rescalers=min(4, columns))
        except ConfigError:
            continue
        yield "x".join(map(str, shape)), config
