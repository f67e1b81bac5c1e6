"""Choice of a layout for every tensor: phases and line pitch that let its readers work on many pixels at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..errors import CapacityError
from ..quantised import QuantisedGraph
from .geometry import drains_apart
from .planner import Planner
from .planners import planner_of
from .states import in_place, places

__all__ = ["PaceError", "choose_layouts"]

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
    for planner in chooser.planners:
        if planner.walk(chooser.layouts) is None:
            raise PaceError(planner.layer.name)
    return chooser.layouts | {update: chooser.layouts[state] for update, state in places(graph).items()}


class _Chooser:
    """Layouts under improvement."""

    def __init__(self, graph: QuantisedGraph, config: AcceleratorConfig, price: int, packed: bool) -> None:
        self._graph = graph
        self._config = config
        self._price, self._packs = price, packed
        self.planners = [planner_of(layer, graph, config) for layer in graph.layers]
        self._readers: dict[str, list[Planner[Any]]] = {name: [] for name in graph.tensors}
        self._enlarged = {layer.output for layer in graph.layers if layer.enlarge != (1, 1)}
        for planner in self.planners:
            for name in planner.layer.sources:
                self._readers[name].append(planner)
        self.layouts = _plain_layouts(graph, self.planners, config)
        self._candidates = {name: self._candidates_of(name) for name in self.layouts}

    def _candidates_of(self, name: str) -> list[TensorLayout]:
        """Layouts that a tensor may take, plainest first."""
        plain = self.layouts[name]
        if any(planner.in_columns(name) for planner in self._readers[name]):
            return self._writable(name, plain)
        windows = [(window, planner) for planner in self._readers[name] for window in planner.windows(name)]
        strides = [(window.stride, planner.layer.size(planner.output)) for window, planner in windows]
        largest = None if name == self._graph.input.tensor else _CORE_PHASES
        phases = [
            _phases(size, largest, [stride[axis] for stride, out in strides if out[axis] > 1])
            for axis, size in enumerate((plain.height, plain.width))
        ]
        candidates = []
        for pair in itertools.product(*phases):
            base = replace(plain, phases=pair, line=0)
            lines = {base.line}
            for window, planner in windows:
                for pace in self._paces(planner):
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
        """Layouts made for a tensor's only reader."""
        readers = self._readers[name]
        if len(readers) != 1 or name in self._graph.ends:
            return []
        made = readers[0].packed(name, self.layouts)
        return [writable for layout in made for writable in self._writable(name, layout)]

    def _paces(self, planner: Planner[Any]) -> set[int]:
        """Words between lines that would suit a layer: its own line, or what one of its sources has anyway."""
        paces = {planner.layer.size(planner.output)[1]}
        for name in planner.layer.sources:
            width = self.layouts[name].width
            for window in planner.windows(name):
                lines = (width, -(-width // window.stride[1]))
                paces |= {line * factor for line in lines for factor in (1, window.stride[0])}
        return paces

    def _score(self, planners: Iterable[Planner[Any]], names: Iterable[str]) -> tuple[int, int, int]:
        """Layers that cannot run, cycles of the others with the price of the tensors' words, and these words."""
        costs = [planner.cycles(self.layouts) for planner in planners]
        words = sum(self.layouts[name].size for name in names)
        return costs.count(None), sum(cost or 0 for cost in costs) + self._price * words, words

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
        readers = list(dict.fromkeys(planner for name in names for planner in self._readers[name]))
        kept = {name: self.layouts[name] for name in names}
        best = self._score(readers, names)
        for choice in itertools.product(*(self._candidates[name] for name in names)):
            self.layouts.update(zip(names, choice, strict=True))
            score = self._score(readers, names)
            if score < best:
                best, kept = score, dict(zip(names, choice, strict=True))
        self.layouts.update(kept)


def _plain_layouts(
    graph: QuantisedGraph, planners: Iterable[Planner[Any]], config: AcceleratorConfig
) -> dict[str, TensorLayout]:
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
    for planner in planners:
        add(planner.layer.output, *planner.written(layouts))
    return layouts


def _phases(size: int, largest: int | None, strides: list[int]) -> list[int]:
    """Phases in one direction that keep every reader's steps constant."""
    common = math.gcd(*strides) or 1
    most = min(size, common, largest or common)
    return [phases for phases in range(1, most + 1) if not common % phases]
