"""Choice of a layout for every tensor: phases and line pitch that let its readers work on many pixels at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.cycles import compute_cycles
from ...hw.spec.isa import Mode
from ...hw.spec.layout import TensorLayout
from ..errors import CapacityError
from ..quantised import IntegerLayer, MacLayer, MaxLayer, QuantisedGraph
from .blocks import strip_step
from .geometry import POINT, Walk, Window, choose_walk, drained_rows, drains_apart
from .phases import phases_of
from .pooling import group_output, group_walk, pooled_source, pools_groups
from .products import product_steps, walked_tensors
from .states import in_place, places
from .unfolding import unfolded_layouts
from .weights import channel_span, tile_count

__all__ = ["PaceError", "choose_layouts", "layer_walk"]

_CORE_PHASES = 2  # most phases that the core can write
_PASSES = 8
_COMBINATIONS = 2048


class PaceError(CapacityError):
    """A layer whose sources no layout brings to one pace."""

    def __init__(self, layer: str) -> None:
        super().__init__(
            f"layer {layer!r} reads sources whose strides no layout brings to one pace: "
            "give its branches equal strides, or put a 1x1 convolution between"
        )
        self.layer = layer


def layer_walk(
    layer: IntegerLayer, graph: QuantisedGraph, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig
) -> Walk | None:
    """Cheapest walk of a layer's pixel groups over its sources; None if their layouts disagree."""
    if (pooled := pooled_source(layer, layouts)) is not None:
        return group_walk(pooled, config)
    readers = (layer,) if isinstance(layer, MaxLayer) else layer.segments
    steps = [Window.on(reader, layouts[reader.source]).steps(layouts[reader.source]) for reader in readers]
    walked = () if isinstance(layer, MaxLayer) else walked_tensors(layer, layouts)
    steps += [POINT.steps(layouts[name]) for name in walked]
    rows = 1 if walked or isinstance(layer, MaxLayer) else drained_rows(layouts[layer.output], layer.enlarge, config)
    return choose_walk(steps, layer.size(graph.tensors[layer.output]), rows)


def choose_layouts(
    graph: QuantisedGraph, config: AcceleratorConfig, *, price: int = 0, packed: bool = True
) -> dict[str, TensorLayout]:
    """Layout of every tensor, all with base 0; that of a state is its update's, too.

    Every layer in turn tries all layouts of its sources and keeps those that cost all their readers the fewest cycles,
    until nothing changes; of equals, those of the fewest words, then the plainest.

    Parameters
    ----------
    graph : QuantisedGraph
    config : AcceleratorConfig
    price : int
        Cycles that a word of memory is worth: more than 0 for a model that otherwise does not fit.
    packed : bool
        Whether tensors may be unfolded or interleaved; such ones cannot be cut into bands of lines.

    Raises
    ------
    PaceError
        If some layer's sources cannot be laid out so that it reads them all at one pace.
    """
    merged = in_place(graph)
    chooser = _Chooser(merged, config, price, packed)
    chooser.settle()
    for layer in merged.layers:
        if layer_walk(layer, merged, chooser.layouts, config) is None:
            raise PaceError(layer.name)
    return chooser.layouts | {update: chooser.layouts[state] for update, state in places(graph).items()}


class _Chooser:
    """Layouts under improvement."""

    def __init__(self, graph: QuantisedGraph, config: AcceleratorConfig, price: int, packed: bool) -> None:
        self._graph = graph
        self._config = config
        self._price, self._packs = price, packed
        self._readers: dict[str, list[IntegerLayer]] = {name: [] for name in graph.tensors}
        self._enlarged = {layer.output for layer in graph.layers if layer.enlarge != (1, 1)}
        for layer in graph.layers:
            for name in layer.sources:
                self._readers[name].append(layer)
        self._parts = {layer.name: next(phases_of(layer, config)).layer for layer in graph.layers}
        macs = [part for part in self._parts.values() if isinstance(part, MacLayer)]
        self._digits = {
            layer.name: [
                sum(codes is not None for codes in segment.codes(config.weight_digits)) for segment in layer.segments
            ]
            for layer in macs
        }
        self._taps = {layer.name: [int(segment.read.sum()) for segment in layer.segments] for layer in macs}
        self.layouts = _plain_layouts(graph, config)
        self._candidates = {name: self._candidates_of(name) for name in self.layouts}

    def _candidates_of(self, name: str) -> list[TensorLayout]:
        """Layouts that a tensor may take, plainest first."""
        plain = self.layouts[name]
        if any(isinstance(layer, MacLayer) and _in_columns(layer, name) for layer in self._readers[name]):
            return self._writable(name, plain)
        windows = [(window, layer) for layer in self._readers[name] for window in _windows(layer, name)]
        strides = [(window.stride, layer.size(self._graph.tensors[layer.output])) for window, layer in windows]
        largest = None if name == self._graph.input.tensor else _CORE_PHASES
        phases = [
            _phases(size, largest, [stride[axis] for stride, out in strides if out[axis] > 1])
            for axis, size in enumerate((plain.height, plain.width))
        ]
        candidates = []
        for pair in itertools.product(*phases):
            base = replace(plain, phases=pair, line=0)
            lines = {base.line}
            for window, layer in windows:
                for pace in self._paces(layer):
                    line, rest = divmod(pace * pair[0], window.stride[0])
                    if not rest and line > base.line:
                        lines.add(line)
            for line in sorted(lines):
                candidates += self._writable(name, replace(base, line=line))
        return candidates + (self._packed(name) if self._packs else [])

    def _writable(self, name: str, layout: TensorLayout) -> list[TensorLayout]:
        """A layout in which the core can write neighbouring pixels at once, a few words larger if it must; or none."""
        if self._config.drain_rows == 1 or name in (self._graph.input.tensor, *self._enlarged):
            return [layout]
        for more in range(self._config.banks):
            wider = replace(layout, groups=layout.groups + more) if layout.interleaved else replace(layout, gap=more)
            if drains_apart(wider, self._config):
                return [wider]
        return []

    def _packed(self, name: str) -> list[TensorLayout]:
        """Layouts made for one reader: taps packed into lanes, or channel groups side by side."""
        readers = self._readers[name]
        if len(readers) != 1 or name in self._graph.ends:
            return []
        (layer,) = readers
        if pools_groups(layer, self._graph, self._config) and name != self._graph.input.tensor:
            outputs = self.layouts[layer.output].group_pitch
            if not all(outputs * pixels % self._config.banks for pixels in range(1, self._config.drain_rows)):
                return []
            return self._writable(name, replace(self.layouts[name], interleaved=True))
        if isinstance(layer, MaxLayer) or layer.products or name != self._graph.input.tensor:
            return []
        part = self._parts[layer.name]
        assert isinstance(part, MacLayer)
        segments = [segment for segment in part.segments if segment.source == name]
        if len(segments) > 1 or segments[0].depthwise:
            return []
        size = layer.size(self._graph.tensors[layer.output])
        return unfolded_layouts(segments[0], self._graph.tensors[name], size, self._config)

    def _paces(self, layer: IntegerLayer) -> set[int]:
        """Words between lines that would suit a layer: its own line, or what one of its sources has anyway."""
        paces = {layer.size(self._graph.tensors[layer.output])[1]}
        for name in layer.sources:
            width = self.layouts[name].width
            for window in _windows(layer, name):
                lines = (width, -(-width // window.stride[1]))
                paces |= {line * factor for line in lines for factor in (1, window.stride[0])}
        return paces

    def _cycles(self, layer: IntegerLayer) -> tuple[int, int]:
        """Whether a layer cannot run at all, and its cycles."""
        walk = layer_walk(layer, self._graph, self.layouts, self._config)
        if walk is None:
            return 1, 0
        output = self.layouts[layer.output]
        phases, layer = math.prod(layer.enlarge), self._parts[layer.name]
        height, width = layer.size(self._graph.tensors[layer.output])
        fields = {
            "out_height": height,
            "out_width": width,
            "rows": walk.rows,
            "wrap": walk.wrap,
            "column_groups": self._tiles(layer),
            "planes": output.planes,
            "mode": Mode.MAC if isinstance(layer, MacLayer) else Mode.MAX,
        }
        if (pooled := pooled_source(layer, self.layouts)) is not None:
            fields |= {**group_output(output), "column_groups": tile_count(pooled.lanes, self._config)}
        return 0, phases * compute_cycles(self._config, fields, self._steps(layer)).cycles

    def _tiles(self, layer: IntegerLayer) -> int:
        channels = self._graph.tensors[layer.output].shape[0]
        return -(-channels // self._config.lanes) if isinstance(layer, MaxLayer) else tile_count(channels, self._config)

    def _steps(self, layer: IntegerLayer) -> int:
        """Steps of a tile."""
        if isinstance(layer, MaxLayer):
            return math.prod(layer.kernel) * self.layouts[layer.source].planes
        pooled = pooled_source(layer, self.layouts) is not None
        strip = strip_step(layer, self.layouts, self._config) is not None
        steps = 0
        counts = zip(layer.segments, self._digits[layer.name], self._taps[layer.name], strict=True)
        for segment, digits, taps in counts:
            source = self.layouts[segment.source]
            groups = -(-source.channels // self._config.lanes)
            if pooled:
                groups = 1
            elif strip:
                groups = min(groups, channel_span(self._config) // self._config.lanes)
            if source.unfold is not None:
                taps = math.prod(Window.on(segment, source).kernel)
            steps += digits * source.planes * taps * groups
        return steps + sum(product_steps(each, self.layouts, self._config, strip=strip) for each in layer.products)

    def _score(self, layers: Iterable[IntegerLayer], names: Iterable[str]) -> tuple[int, int, int]:
        costs = [self._cycles(layer) for layer in layers]
        stuck, cycles = sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)
        words = sum(self.layouts[name].size for name in names)
        return stuck, cycles + self._price * words, words

    def settle(self) -> None:
        """Improve the layouts layer by layer until nothing changes."""
        for _ in range(_PASSES):
            before = dict(self.layouts)
            for layer in self._graph.layers:
                self._improve(layer.sources)
            if self.layouts == before:
                return

    def _improve(self, names: tuple[str, ...]) -> None:
        """Give tensors that one layer reads the layouts that suit all their readers best."""
        if len(names) > 1 and math.prod(len(self._candidates[name]) for name in names) > _COMBINATIONS:
            for name in names:
                self._improve((name,))
            return
        layers = list({layer.name: layer for name in names for layer in self._readers[name]}.values())
        kept = {name: self.layouts[name] for name in names}
        best = self._score(layers, names)
        for choice in itertools.product(*(self._candidates[name] for name in names)):
            self.layouts.update(zip(names, choice, strict=True))
            score = self._score(layers, names)
            if score < best:
                best, kept = score, dict(zip(names, choice, strict=True))
        self.layouts.update(kept)


def _plain_layouts(graph: QuantisedGraph, config: AcceleratorConfig) -> dict[str, TensorLayout]:
    """Layouts without phases, with all the channel groups that their writers drain."""
    layouts: dict[str, TensorLayout] = {}

    def add(name: str, drained: int, planes: int) -> None:
        channels, height, width = graph.tensors[name].shape
        layouts[name] = TensorLayout(
            channels=channels,
            height=height,
            width=width,
            lanes=config.lanes,
            planes=planes,
            groups=-(-drained // config.lanes),
        )

    for name in graph.starts:
        add(name, graph.tensors[name].shape[0], config.digits.count(graph.tensors[name].levels))
    for layer in graph.layers:
        output = graph.tensors[layer.output]
        if isinstance(layer, MaxLayer):
            add(output.name, output.shape[0], layouts[layer.source].planes)
        else:
            add(output.name, tile_count(output.shape[0], config) * config.columns, config.digits.count(output.levels))
    return layouts


def _windows(layer: IntegerLayer, name: str) -> list[Window]:
    """Windows through which a layer reads a tensor."""
    readers = (layer,) if isinstance(layer, MaxLayer) else layer.segments
    return [Window.of(reader) for reader in readers if reader.source == name]


def _in_columns(layer: MacLayer, name: str) -> bool:
    """Whether pixels of a tensor are weights of a layer's output channels, so that they lie side by side."""
    return any(segment.held == name and not segment.depthwise for segment in layer.products)


def _phases(size: int, largest: int | None, strides: list[int]) -> list[int]:
    """Phases in one direction that keep every reader's steps constant."""
    common = math.gcd(*strides) or 1
    most = min(size, common, largest or common)
    return [phases for phases in range(1, most + 1) if not common % phases]
