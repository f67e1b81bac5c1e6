"""Programs for cores with a backing store: weights stream in, and so do tensors that do not fit."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import MOST_INSTRUCTIONS, AcceleratorConfig
from ...hw.spec.cycles import compute_cycles, fetch_cycles
from ...hw.spec.isa import Opcode, Unit
from ...hw.spec.layout import TensorLayout
from ...hw.spec.registers import Region, region_beats, region_depth, region_stride
from ...hw.spec.schedule import TOKEN_FLAGS, Schedule
from ...hw.spec.transfer import PAGE
from ...hw.spec.transfer_cycles import BusTiming, transfer_cycles
from ..program import Program
from ..quantised import IntegerLayer, QuantisedGraph
from .assemble import Assembler
from .bands import ActivationPlan, LayerBands, plan_activations
from .late_loads import PARTS, late_layers
from .phases import Phase
from .plan import LoweredLayer
from .planner import Planner
from .planners import planner_of
from .prefetch import prefetch
from .rings import Ring
from .shortages import Shortages
from .store_image import StoreImage, aligned
from .tables import Blank
from .tiles import ChannelRange, TileView, lower_tile
from .tokens import Range, Work, assign_tokens
from .weights import tile_count

__all__ = ["compile_streamed"]

_Tiles = list[list[tuple[int, LoweredLayer]]]
"""A layer's tiles with their first column groups, by band."""

_STEPS_A_TILE = 3  # two LOADs and a COMPUTE
_STORE = "backing store"
_PORT = "port"  # the one of each memory, where memories have one
_BUS = BusTiming(latency=64, pace=2)
"""What LOADs are placed for. On a slower bus COMPUTEs wait behind LOADs for which the queue is full, on a faster one
some could have come earlier."""


@dataclass(frozen=True)
class _Step:
    """An instruction before its tokens are known; a COMPUTE has a lowered layer."""

    layer: str
    work: Work
    values: Mapping[str, int]
    lowered: LoweredLayer | None = None
    part: tuple[int, int] = (0, 0)


def compile_streamed(
    graph: QuantisedGraph,
    layouts: Mapping[str, TensorLayout],
    config: AcceleratorConfig,
    certificates: Mapping[str, int],
    shortages: Shortages,
) -> Program:
    """Program whose weights and parameters lie in the backing store, with as many tensors as do not fit on the chip.

    Layers are cut into bands of lines where a tensor around them lies outside, and into ranges of output channels where
    their weights take more than half the memory, so that the next range can be loaded meanwhile.

    Parameters
    ----------
    graph : QuantisedGraph
    layouts : mapping of TensorLayout
        Of every tensor, with base 0.
    config : AcceleratorConfig
        With a backing store.
    certificates : mapping of int
        Accumulator bits by layer.
    shortages : Shortages
        What the model has been found to lack so far.

    Raises
    ------
    CapacityError
        If a memory, a count or a field is too small for any tiling.
    """
    plan = plan_activations(graph, config, layouts)
    streamer = _Streamer(graph, config, plan, certificates, shortages)
    steps = list(streamer.steps())
    if len(steps) >= MOST_INSTRUCTIONS:
        shortages.need("instructions", "instructions", len(steps) + 1, steps[MOST_INSTRUCTIONS - 1].layer)
        shortages.check()
    if config.memories == "single":
        steps = [replace(step, work=step.work.on(_PORT)) for step in steps]
    steps = prefetch(steps, lambda step: _cycles(config, step), fetch_cycles(config))
    tokens = assign_tokens([step.work for step in steps])
    _check_progress(config, steps, tokens)
    assembler = Assembler(graph, config, plan.layouts, shortages)
    for step, flags in zip(steps, tokens, strict=True):
        values = {**step.values, **flags}
        if step.lowered is None:
            assembler.add_transfer(step.layer, values)
        else:
            assembler.add_compute(step.layer, step.lowered, values, part=step.part)
    return assembler.finish(
        backing=streamer.image.words(), window_bytes=streamer.window_bytes, external=streamer.external
    )


class _Streamer:
    """Steps of a program in the order of its layers, before anything is moved."""

    def __init__(
        self,
        graph: QuantisedGraph,
        config: AcceleratorConfig,
        plan: ActivationPlan,
        certificates: Mapping[str, int],
        shortages: Shortages,
    ) -> None:
        self._graph, self._config, self._plan, self._certificates = graph, config, plan, certificates
        self._shortages = shortages
        self._rings = {region: Ring(region_depth(config, region)) for region in (Region.WEIGHTS, Region.PARAMS)}
        self._known: dict[Hashable, LoweredLayer] = {}
        self._certificate = 0
        self.image = StoreImage(config)
        self.external: dict[str, int] = {}
        self.window_bytes = 0
        stride = region_stride(config, Region.ACTIVATIONS)
        end = 0
        for name in plan.external:  # behind the image, whose size is known only when all layers are lowered
            self.external[name] = end
            end += aligned(config, plan.layouts[name].size * stride)
        self._external_size = end

    def steps(self) -> Iterator[_Step]:
        """Every layer's steps."""
        lowered = {layer.name: self._lower(layer) for layer in self._graph.layers}
        self._shortages.check()
        for layer in self._late(lowered):
            lowered[layer.name] = self._lower(layer, PARTS)
        for tiles in lowered.values():
            for _, tile in itertools.chain.from_iterable(tiles):
                for region, rows in self._rows(tile).items():
                    self.image.place(region, rows)
        start = -(-self.image.size // PAGE) * PAGE
        self.external = {name: start + offset for name, offset in self.external.items()}
        self.window_bytes = -(-(start + self._external_size) // PAGE) * PAGE
        for layer in self._graph.layers:
            yield from self._layer_steps(layer, lowered[layer.name])

    def _planner(self, layer: IntegerLayer) -> Planner[Any]:
        return planner_of(layer, self._graph, self._config)

    def _lower(self, layer: IntegerLayer, parts: int = 1) -> _Tiles:
        """Tiles of a layer with their first column groups: channel ranges, so many at least, within phases within
        bands."""
        self._certificate = self._certificates[layer.name]
        bands = self._plan.layers[layer.name]
        tiles = []
        phases = list(self._planner(layer).phases())
        for number in range(len(bands.bands)):
            tiles.append(
                [
                    (phase.group + channels.first // self._config.columns, self._tile(phase, bands, number, channels))
                    for phase in phases
                    for channels in self._ranges(phase, bands, number, parts)
                ]
            )
        self._known.clear()
        return tiles

    def _late(self, lowered: Mapping[str, _Tiles]) -> Iterator[IntegerLayer]:
        """Layers that had better be computed in parts, unless that could be more instructions than the core holds."""
        config = self._config
        loads, computes = [], []
        for tiles in lowered.values():
            size = 0
            for _, tile in tiles[0]:  # other bands find what is there
                rows = self._rows(tile)
                size += sum(len(words) * region_stride(config, region) for region, words in rows.items())
            loads.append(size // config.bus_bytes)
            computes.append(
                sum(
                    compute_cycles(config, tile.fields, tile.steps).cycles
                    for _, tile in itertools.chain.from_iterable(tiles)
                )
            )
        steps = _STEPS_A_TILE * sum(len(parts) for tiles in lowered.values() for parts in tiles)
        for index in late_layers(loads, computes):
            layer = self._graph.layers[index]
            steps += _STEPS_A_TILE * PARTS
            whole = len(lowered[layer.name]) == 1 and layer.enlarge == (1, 1)
            if self._planner(layer).unit and whole and steps < config.instructions:
                yield layer

    def _tile(self, phase: Phase, bands: LayerBands, number: int, channels: ChannelRange) -> LoweredLayer:
        layer = phase.layer
        return lower_tile(
            phase,
            self._graph,
            self._config,
            band=bands.bands[number],
            view=TileView.of(layer, self._plan.layouts, bands, number, self._config),
            channels=channels,
            cert_bits=self._certificate,
            known=self._known,
        )

    def _ranges(self, phase: Phase, bands: LayerBands, number: int, wanted: int) -> list[ChannelRange]:
        """Output channels of a phase of a band in ranges whose weights and parameters fit, in as many as are ``wanted``
        at least if there are as many column groups."""
        layer, config = phase.layer, self._config
        channels = self._graph.tensors[layer.output].shape[0]
        whole = ChannelRange(0, channels)
        unit = self._planner(layer).unit
        if not unit:
            return [whole]
        groups = tile_count(channels, config)
        lowered = self._tile(phase, bands, number, whole)
        unit = min(groups, unit)
        most, shared = -(-groups // wanted), config.diagonals if lowered.fields["diagonal"] else 1
        needs = {
            "weight_words": (len(lowered.weights), lowered.fields["weight_pitch"], shared),
            "param_words": (len(lowered.params), config.tile_granules, 1),
        }
        for parameter, (words, pitch, groups_a_pitch) in needs.items():
            half = getattr(config, parameter) // 2
            if pitch and words > half:
                most = min(most, max(1, half // pitch) * groups_a_pitch)
            what = f"{parameter} for {unit} column groups"
            self._shortages.need(parameter, what, pitch * -(-unit // groups_a_pitch) or words, layer.name)
        parts = -(-groups // max(unit, most // unit * unit))
        step = -(-groups // (parts * unit)) * unit * config.columns
        return [ChannelRange(first, min(channels, first + step)) for first in range(0, channels, step)]

    def _rows(self, lowered: LoweredLayer) -> dict[Region, NDArray[np.uint32] | Blank]:
        """Weight and parameter words of a tile."""
        if not lowered.weights:
            return {}
        weights, params = lowered.weights, lowered.params  # each may be unknown by itself: an average's weights are not
        if not isinstance(weights, Blank):
            words = np.frombuffer(b"".join(weights), dtype="<u4")
            weights = words.reshape(-1, region_beats(self._config, Region.WEIGHTS)).astype(np.uint32)
        if not isinstance(params, Blank):
            params = np.array(params, dtype=np.uint32)
        return {Region.WEIGHTS: weights, Region.PARAMS: params}

    def _layer_steps(self, layer: IntegerLayer, tiles: Sequence[Sequence[tuple[int, LoweredLayer]]]) -> Iterator[_Step]:
        bands = self._plan.layers[layer.name]
        for number, (band, parts) in enumerate(zip(bands.bands, tiles, strict=True)):
            view = TileView.of(layer, self._plan.layouts, bands, number, self._config)
            for name, lines in band.reads.items():
                if name in self.external:
                    yield self._move(Opcode.LOAD, layer.name, name, view.reads[name], lines)
            for group, lowered in parts:
                values, reads = {}, []
                for region, rows in self._rows(lowered).items():
                    key, start = self.image.place(region, rows)
                    first, missing = self._rings[region].place(key, len(rows))
                    values["weight_base" if region is Region.WEIGHTS else "param_base"] = first
                    reads.append(Range(region, first, first + len(rows)))
                    if missing:
                        yield self._fill(layer.name, region, first, start, len(rows))
                reads += [_words(layout) for layout in view.reads.values()]
                work = Work(unit=Unit.COMPUTE, reads=tuple(reads), writes=(_words(view.write),))
                part = band.first // layer.enlarge[0], group
                yield _Step(layer.name, work, values, lowered, part)
            if layer.output in self.external:
                yield self._move(Opcode.STORE, layer.name, layer.output, view.write, (band.first, band.end))

    def _fill(self, layer: str, region: Region, first: int, start: int, count: int) -> _Step:
        """LOAD of weights or parameters."""
        size = count * region_stride(self._config, region)
        work = Work(
            unit=Unit.LOADER,
            reads=(Range(_STORE, start, start + size),),
            writes=(Range(region, first, first + count),),
        )
        values = {
            "opcode": Opcode.LOAD,
            "memory": region,
            "address": first,
            "external": start,
            "count": count,
            "lines": 1,
            "pitch": 0,
            "external_pitch": 0,
        }
        return _Step(layer, work, values)

    def _move(self, opcode: Opcode, layer: str, name: str, view: TensorLayout, lines: tuple[int, int]) -> _Step:
        """LOAD or STORE of some lines of all planes and phases of a tensor."""
        whole = self._plan.layouts[name]
        stride = region_stride(self._config, Region.ACTIVATIONS)
        start = self.external[name]
        outside = (Range(_STORE, start, start + whole.size * stride),)
        inside = (_words(view),)
        values = {
            "opcode": opcode,
            "memory": Region.ACTIVATIONS,
            "address": view.base,
            "pitch": view.phase_pitch,
            "external": start + lines[0] // whole.phases[0] * whole.line * stride,
            "external_pitch": whole.phase_pitch * stride,
            "count": view.phase_pitch - view.gap,
            "lines": view.size // view.phase_pitch,
        }
        if view.phase_pitch == whole.phase_pitch:
            values |= {"pitch": 0, "external_pitch": 0, "count": view.size, "lines": 1}
        if opcode is Opcode.LOAD:
            return _Step(layer, Work(unit=Unit.LOADER, reads=outside, writes=inside), values)
        return _Step(layer, Work(unit=Unit.STORER, reads=inside, writes=outside), values)


def _words(layout: TensorLayout) -> Range:
    return Range(Region.ACTIVATIONS, layout.base, layout.base + layout.size)


def _check_progress(config: AcceleratorConfig, steps: Sequence[_Step], tokens: Sequence[Mapping[str, int]]) -> None:
    """Play the units' tokens through, with rough durations.

    Raises
    ------
    DeadlockError
        If some instruction could never begin; no model should bring that about.
    """
    schedule, moment = Schedule(), 0
    for index, (step, flags) in enumerate(zip(steps, tokens, strict=True)):
        fields = dict.fromkeys(TOKEN_FLAGS, 0) | {**step.values, **flags}
        cycles = _cycles(config, step)
        if step.lowered is None:
            moment = schedule.transfer(Opcode(fields["opcode"]), index, fields, cycles, moment)
        else:
            moment = schedule.compute(index, fields, moment) + cycles
            schedule.computed(index, fields, moment)
    schedule.end(moment)


def _cycles(config: AcceleratorConfig, step: _Step) -> int:
    """Cycles of a step, roughly."""
    if step.lowered is not None:
        return compute_cycles(config, step.lowered.fields, step.lowered.steps).cycles
    return transfer_cycles(config, Opcode(step.values["opcode"]), step.values, _BUS)
