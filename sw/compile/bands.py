"""Bands: which tensors lie in the backing store, and in bands of how many lines the layers around them work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..errors import CapacityError
from ..quantised import QuantisedGraph
from .allocate import Lifetime, least_words, lifetimes, pack_tensors
from .geometry import Window, band_layout
from .shortages import Shortages
from .states import places

__all__ = ["ActivationPlan", "Band", "LayerBands", "plan_activations"]

_TRIES = 400


@dataclass(frozen=True)
class Band:
    """Output lines of a layer, the end excluded, and the lines of each source that they need."""

    first: int
    end: int
    reads: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class LayerBands:
    """Bands of a layer, top to bottom, and the on-chip words of the external tensors around it.

    ``buffers`` holds the first word of each copy of the buffer that a tensor's band goes through: bands take them by
    turns.
    """

    bands: tuple[Band, ...]
    buffers: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivationPlan:
    """Layouts with on-chip bases (external tensors: 0), the external tensors, and the bands of every layer."""

    layouts: dict[str, TensorLayout]
    external: tuple[str, ...]
    layers: dict[str, LayerBands]


def plan_activations(
    graph: QuantisedGraph, config: AcceleratorConfig, layouts: Mapping[str, TensorLayout]
) -> ActivationPlan:
    """Keep on the chip what fits; put the largest tensors outside until the rest does. States stay on the chip.

    Parameters
    ----------
    graph : QuantisedGraph
    config : AcceleratorConfig
    layouts : mapping of TensorLayout
        Of every tensor, with base 0.

    Raises
    ------
    CapacityError
        If not even single lines of some layer's tensors fit.
    """
    planner = _Planner(graph, config, layouts)
    for _ in range(_TRIES):
        sizes, lives = planner.demands()
        if not sizes or least_words(sizes, lives) <= config.act_words:
            bases, used = pack_tensors(sizes, lives) if sizes else ({}, 0)
            if used <= config.act_words:
                return planner.plan(bases)
        planner.relieve(sizes, lives)
    raise CapacityError(f"no tiling of the model fits {config.act_words} act_words: raise act_words")


class _Planner:
    """External tensors and numbers of bands under improvement."""

    def __init__(self, graph: QuantisedGraph, config: AcceleratorConfig, layouts: Mapping[str, TensorLayout]) -> None:
        self._graph, self._config, self._layouts = graph, config, layouts
        self._lives = lifetimes(graph)
        self._shared = places(graph)
        self._kept = {state.tensor for state in graph.states}
        self._external: dict[str, None] = {}
        self._copies = [2] * len(graph.layers)  # buffers of each external tensor around a layer
        self._heights = {layer.name: layouts[layer.output].height for layer in graph.layers}

    def _around(self, index: int) -> list[str]:
        """External tensors that a layer touches."""
        layer = self._graph.layers[index]
        return [name for name in (*layer.sources, layer.output) if name in self._external]

    def _bands(self, index: int) -> tuple[Band, ...]:
        layer = self._graph.layers[index]
        height, step = self._layouts[layer.output].height, self._heights[layer.name]
        bands = []
        for first in range(0, height, step):
            end = min(height, first + step)
            reads = {name: self._lines(index, name, first, end) for name in layer.sources}
            bands.append(Band(first, end, reads))
        return tuple(bands)

    def _lines(self, index: int, name: str, first: int, end: int) -> tuple[int, int]:
        """Lines of a source that some output lines need, whole phases and at least one."""
        layer, layout = self._graph.layers[index], self._layouts[name]
        if name not in self._external:
            return 0, layout.height
        first, end = first // layer.enlarge[0], end // layer.enlarge[0]
        low, high = layout.height, 0
        for reader in layer.readers:
            if reader.source == name:
                window = Window.of(reader)
                top = first * window.stride[0] - window.pad[0]
                reach = (window.kernel[0] - 1) * window.dilation[0] + 1
                low = min(low, top)
                high = max(high, (end - 1) * window.stride[0] - window.pad[0] + reach)
        phase = layout.phases[0]
        low = max(0, min(low, layout.height - 1)) // phase * phase
        high = min(layout.height, max(high, low + 1))
        return low, high

    def _buffer_words(self, bands: tuple[Band, ...], index: int, name: str) -> int:
        layout = self._layouts[name]
        if name == self._graph.layers[index].output:
            lines = {band.end - band.first for band in bands}
        else:
            lines = {end - first for band in bands for first, end in (band.reads[name],)}
        return max(band_layout(layout, each, self._config).size for each in lines)

    def demands(self) -> tuple[dict[str, int], dict[str, Lifetime]]:
        """On-chip words of tensors and buffers, and when they are needed."""
        sizes = {
            name: layout.size
            for name, layout in self._layouts.items()
            if name not in self._external and name not in self._shared
        }
        lives = {name: self._lives[name] for name in sizes}
        for index in range(len(self._graph.layers)):
            bands = self._bands(index)
            for name in self._around(index):
                for copy in range(min(self._copies[index], len(bands))):
                    key = _key(index, name, copy)
                    sizes[key] = self._buffer_words(bands, index, name)
                    lives[key] = Lifetime(index, index)
        return sizes, lives

    def relieve(self, sizes: Mapping[str, int], lives: Mapping[str, Lifetime]) -> None:
        """Need less where the most is needed: thinner bands or fewer tensors, whichever is larger, then single buffers.

        Raises
        ------
        CapacityError
            If nothing is left to be done there.
        """
        layers = self._graph.layers
        needed = [
            sum(size for name, size in sizes.items() if lives[name].first <= index <= lives[name].last)
            for index in range(len(layers))
        ]
        index = max(range(len(layers)), key=lambda index: needed[index])
        at_work = Lifetime(index, index)
        inside = [name for name in self._layouts if name in sizes and lives[name].meets(at_work)]
        movable = [name for name in inside if name not in self._kept]
        excess = needed[index] > self._config.act_words
        thin = self._around(index) and self._heights[layers[index].name] > self._step(index)
        largest = max(movable, key=lambda name: sizes[name], default=None)
        buffers = needed[index] - sum(sizes[name] for name in inside)
        if thin and (largest is None or buffers >= sizes[largest]):
            self._shrink(index)
        elif largest is not None:
            self._external[largest] = None
        elif thin:
            self._shrink(index)
        elif self._around(index) and self._copies[index] > 1:
            self._copies[index] = 1
        else:
            needed_words = needed[index] if excess else self._config.act_words + 1
            shortages = Shortages(self._config)
            shortages.need("act_words", "words of activation memory", needed_words, layers[index].name)
            shortages.check()

    def _step(self, index: int) -> int:
        """Lines that a band's first line is a multiple of: whole phases of the output, as laid out and as computed."""
        layer = self._graph.layers[index]
        return math.lcm(self._layouts[layer.output].phases[0], layer.enlarge[0])

    def _shrink(self, index: int) -> None:
        name, step = self._graph.layers[index].name, self._step(index)
        height = self._layouts[self._graph.layers[index].output].height
        bands = -(-height // self._heights[name])
        while (thinner := -(-height // (bands * step)) * step) >= self._heights[name] and thinner > step:
            bands += 1
        self._heights[name] = max(step, min(thinner, self._heights[name] - step))

    def plan(self, bases: Mapping[str, int]) -> ActivationPlan:
        """The plan with these on-chip bases."""
        layers = {}
        for index, layer in enumerate(self._graph.layers):
            bands = self._bands(index)
            buffers = {
                name: tuple(bases[_key(index, name, copy)] for copy in range(min(self._copies[index], len(bands))))
                for name in self._around(index)
            }
            layers[layer.name] = LayerBands(bands, buffers)
        layouts = {
            name: replace(layout, base=bases.get(self._shared.get(name, name), 0))
            for name, layout in self._layouts.items()
        }
        return ActivationPlan(layouts, tuple(name for name in layouts if name in self._external), layers)


def _key(index: int, name: str, copy: int) -> str:
    return f"{index} {copy} {name}"
