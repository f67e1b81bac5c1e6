"""propose: configurations for a model, from what its program needs, the cycle model and an estimate of the cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...hw.spec.config import MOST_BLOCKS, MOST_TABLES, PRESETS, AcceleratorConfig, ConfigError
from ...hw.spec.memories import words_in_window
from ...hw.spec.registers import Region, region_beats
from ..costs.memory_use import memory_use
from ..errors import CapacityError, InputError
from ..graph import Graph
from ..layers import Mac, Product
from ..program import Program
from ..quantize import QuantSettings
from ..quantize.planned import curved_layers
from .cells import DEVICES, Cells, estimate_cells
from .estimate import Estimate, estimate, roomy
from .timeline import timeline

__all__ = [
    "USUAL_UNITS",
    "Proposal",
    "best_shape",
    "fitted",
    "memory_sizes",
    "on_core",
    "propose",
    "smallest",
    "streaming",
    "with_memories_of",
]

Settings = Callable[[AcceleratorConfig], QuantSettings]
Progress = Callable[[int, int], None]

_SHAPES = [
    (rows, columns, lanes)
    for rows in (1, 2, 4, 8, 16)
    for columns in (2, 4, 8, 16)
    for lanes in (4, 8, 16)
    if rows * columns * lanes <= 1024
]
_MEMORIES = {
    "weight words": ("weight_words", 16, 65536),
    "parameter words": ("param_words", 4, 65536),
    "taps": ("taps", 16, 1024),
    "blocks": ("blocks", 8, MOST_BLOCKS),
    "instructions": ("instructions", 4, 1024),
}

USUAL_UNITS = 256
"""Units of a core that nobody asked to be larger or smaller."""

_TRAINED_BITS = 16
"""Multiplicand width with which a trained quantiser's steps can be met (docs/models.md)."""

_STREAMING = ((16384, 4096), (32768, 4096), (16384, 8192), (65536, 4096), (65536, 16384), (65536, 65536))
"""Words of activations and weights of a core with a backing store, the fewest first."""

_LARGEST = {"taps": 1024, "blocks": MOST_BLOCKS, "instructions": 1024}

_ENOUGH = 1.02
"""A shape so much slower than the fastest is as good, if it is smaller."""


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
    graph: Graph, settings: Settings, *, device: str, fps: float, mhz: float, progress: Progress
) -> list[Proposal]:
    """Configurations for a model, the best first: those that fit and are fast enough by cells, then by cycles.

    Shapes are those of the presets and of a grid. Cycles are those of a program with blank weights
    (`estimate.estimate`), cells are estimates (`cells.estimate_cells`): a configuration counts as fitting only if the
    estimate and its error together do.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac`, `MaxPool` and `Product` layers only.
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
    found = _proposals(graph, settings, candidates, device, progress)
    found = [replace(one, fast=one.fps(mhz) >= fps) for one in found]
    if not found:
        raise CapacityError(
            "no core without a backing store holds this model: see `narrows doctor` for what is too large"
        )
    return sorted(found, key=lambda one: (not (one.fits and one.fast), not one.fits, *_rank(one)))


def best_shape(graph: Graph, settings: Settings, *, device: str, progress: Progress) -> list[Proposal]:
    """Configurations of 256 units at most for a model, the best first: those that fit, then by cycles.

    Among shapes within 2 % of the fewest cycles the one of the fewest cells comes first. Empty if no core without a
    backing store holds the model. Arguments are those of :func:`propose`.
    """
    candidates = [(name, config) for name, config in _candidates() if config.macs <= USUAL_UNITS]
    found = _proposals(graph, settings, candidates, device, progress)
    if not found:
        return []
    pool = [one for one in found if one.fits] or found
    least = min(one.cycles for one in pool)
    good = [one for one in pool if one.cycles <= least * _ENOUGH]
    best = min(good, key=lambda one: (one.cells.luts, one.cycles))
    return [best, *sorted((one for one in found if one is not best), key=lambda one: (not one.fits, one.cycles))]


def smallest(graph: Graph, settings: Settings, *, device: str) -> Proposal | None:
    """The configuration of the fewest cells that holds a model without a backing store, None if none does.

    Arguments are those of :func:`propose`.
    """
    candidates = sorted(_candidates(), key=lambda one: estimate_cells(one[1]).luts)
    for candidate in candidates:
        found = _proposals(graph, settings, [candidate], device, lambda done, total: None)
        if found:
            return found[0]
    return None


def streaming(graph: Graph, settings: Settings, *, device: str) -> Proposal:
    """The usual array with a backing store, for a model that no core holds; tables and instructions as it needs them.

    Arguments are those of :func:`propose`.

    Raises
    ------
    CapacityError
        If even that does not do.
    """
    tables = min(len(curved_layers(graph)), MOST_TABLES)
    base = replace(PRESETS["medium"], **_LARGEST, param_words=1024, tables=tables, backing="axi4")
    found = estimate(graph, roomy(PRESETS["medium"]), settings(base), only=True)
    weights = max((lack.needed for lack in found.shortages if lack.parameter == "weight_words"), default=0)
    for act_words, weight_words in _STREAMING:
        if 4 * weights > weight_words * base.instructions:  # each half memory's worth takes a LOAD and a COMPUTE
            continue
        sized = replace(base, act_words=act_words, weight_words=weight_words)
        found = _program(graph, sized, settings)
        if (program := found.program) is not None:
            trained = {"rescale_bits": _TRAINED_BITS} if graph.grids else {}
            machine = replace(program.config, **trained)
            cells = estimate_cells(machine)
            return Proposal(
                config=machine,
                name="medium with a backing store",
                cycles=timeline(on_core(program, machine)).cycles,
                cells=cells,
                fits=cells.fits(DEVICES[device]),
                fast=True,
            )
    raise CapacityError("; ".join(found.problems), found.shortages)


def fitted(config: AcceleratorConfig, program: Program, graph: Graph) -> AcceleratorConfig:
    """A configuration with what a program of its shape needs: memories, tables, accumulators of trained integers."""
    bits = max((layer.cert_bits for layer in program.graph.layers), default=0)
    trained = {"rescale_bits": max(config.rescale_bits, _TRAINED_BITS)} if graph.grids else {}
    tables = max(config.tables, min(len(curved_layers(graph)), MOST_TABLES))
    sizes = memory_sizes(program)
    return replace(config, **sizes, tables=tables, acc_bits=max(config.acc_bits, bits), **trained)


def memory_sizes(program: Program) -> dict[str, int]:
    """Parameters of memories with some room, since other weights and scales may take more rows than these."""
    used = memory_use(program)
    sizes = {}
    for memory, (key, least, most) in _MEMORIES.items():
        count = used[memory][0]
        sizes[key] = min(max(least, count + count // 4), most)
    sizes["weight_words"] = min(sizes["weight_words"], words_in_window(program.config.weight_word_bits))
    sizes["param_words"] = min(sizes["param_words"], words_in_window(program.config.param_word_bits))
    words = used["activation words"][0]
    return sizes | {"act_words": max(64, 1 << (words - 1).bit_length())}


def on_core(program: Program, core: AcceleratorConfig) -> Program:
    """A program on a core like its own with memories of other sizes, which hold it, and other rescalers: stages depend
    on them, so that its cycles are those of the core that will be made. Parameters of another width are blank."""
    params = program.params
    if program.config.param_word_bits != core.param_word_bits:
        params = np.zeros((len(params), region_beats(core, Region.PARAMS)), dtype=np.uint32)
    return replace(program, config=core, params=params)


def with_memories_of(program: Program, core: AcceleratorConfig) -> Program:
    """A program of the largest memories on its core with the memories of another one, if they hold it; or else with
    those that it needs."""
    used = memory_use(program)
    keys = {memory: key for memory, (key, _, _) in _MEMORIES.items()} | {"activation words": "act_words"}
    given = {key: getattr(core, key) for key in keys.values()}
    holds = all(used[memory][0] <= given[key] for memory, key in keys.items())
    return on_core(program, replace(program.config, **(given if holds else memory_sizes(program))))


def _proposals(
    graph: Graph,
    settings: Settings,
    candidates: Iterable[tuple[str, AcceleratorConfig]],
    device: str,
    progress: Progress,
) -> list[Proposal]:
    """Those candidates that hold a model without a backing store, with memories of the sizes that it needs."""
    candidates, found = list(candidates), []
    dynamic = {"dynamic": 1} if any(isinstance(layer, Product) for layer in graph.layers) else {}
    for number, (name, given) in enumerate(candidates):
        config = replace(given, **dynamic)
        program = None if _hopeless(graph, config) else _program(graph, config, settings).program
        progress(number + 1, len(candidates))
        if program is None:
            continue
        machine = fitted(config, program, graph)
        cells = estimate_cells(machine)
        found.append(
            Proposal(
                config=machine,
                name=name,
                cycles=timeline(on_core(program, machine)).cycles,
                cells=cells,
                fits=cells.fits(DEVICES[device]),
                fast=True,
            )
        )
    return found


def _program(graph: Graph, config: AcceleratorConfig, settings: Settings) -> Estimate:
    """A program for a core, its accumulators as wide as trained integers need."""
    found = estimate(graph, config, settings(config), only=True)
    narrow = [lack.enough for lack in found.shortages if lack.parameter == "acc_bits" and lack.enough]
    if found.program is None and narrow:
        wide = replace(config, acc_bits=max(narrow))
        found = estimate(graph, wide, settings(wide), only=True)
    return found


def _hopeless(graph: Graph, config: AcceleratorConfig) -> bool:
    """Whether one code for each weight is already more than any weight memory of this shape holds."""
    weights = sum(
        int(np.prod(term.weights.shape))
        for layer in graph.layers
        if isinstance(layer, Mac)
        for term in layer.terms
        if not term.constant
    )
    return weights > roomy(config).weight_words * config.columns * config.lanes


def _rank(one: Proposal) -> tuple[float, float]:
    """Among those that are fast enough the fewest cells, among the others the fewest cycles."""
    return (one.cells.luts, one.cycles) if one.fast else (one.cycles, one.cells.luts)


def _candidates() -> Iterator[tuple[str, AcceleratorConfig]]:
    known = {}
    for name, preset in PRESETS.items():
        known[preset.rows, preset.columns, preset.lanes] = name
        yield name, roomy(preset)
    for shape in _SHAPES:
        if shape in known:
            continue
        rows, columns, lanes = shape
        try:
            config = roomy(AcceleratorConfig(rows=rows, columns=columns, lanes=lanes, rescalers=min(4, columns)))
        except ConfigError:
            continue
        yield "x".join(map(str, shape)), config
