"""Max-pools without a max-pool unit: ``max(a, b) = a + max(b - a, 0)``, exact on levels, along lines and columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...hw.spec.certificate import final_sum_bounds, signed_bits
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import MAX_INT_BITS, Format, Int
from ..quantised import IntegerLayer, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment

__all__ = ["part_of", "without_max_pools"]

_PACED = 2
"""Strides up to which a tensor that the core wrote can be read at one pace with another; a copy thins out more."""

_PART = " part "
"""Between a max-pool's name and the number of a layer in its place."""


def part_of(name: str) -> str:
    """The max-pool in whose place a layer was made, by their names; empty for the last one, which has the pool's."""
    pool, part, number = name.rpartition(_PART)
    return pool if part and number.isdecimal() else ""


def without_max_pools(graph: QuantisedGraph, config: AcceleratorConfig) -> QuantisedGraph:
    """The graph with depthwise layers in place of max-pools, where the core has no unit for these; else as it is.

    Two layers double a window in one direction: 2 x 2 taps take four, 3 x 3 eight, 5 x 5 twelve. A pool stays a
    max-pool if the differences of its levels need more digit planes than the core writes, or if it has padding, which
    reads as the zero level, and levels below that.
    """
    if config.max_pool:
        return graph
    for layer in graph.layers:
        if isinstance(layer, MaxLayer) and _possible(layer, graph, config):
            graph = _Maxima(layer, graph, config).graph()
    return graph


def _possible(layer: MaxLayer, graph: QuantisedGraph, config: AcceleratorConfig) -> bool:
    source = graph.tensors[layer.source]
    if any(layer.pads) and source.low < source.zero:
        return False
    reach = source.span[1] - source.span[0]
    return reach <= Int(MAX_INT_BITS).top and config.digits.count(np.arange(reach + 1)) <= config.planes


class _Maxima:
    """Layers in place of one max-pool: first the maxima along lines, then those of them along columns."""

    def __init__(self, layer: MaxLayer, graph: QuantisedGraph, config: AcceleratorConfig) -> None:
        self._layer, self._graph, self._config = layer, graph, config
        self._tensors = dict(graph.tensors)
        self._layers: list[MacLayer] = []

    def graph(self) -> QuantisedGraph:
        """The whole graph."""
        self._along(0, self._along(1, self._layer.source))
        last = self._layers[-1]
        del self._tensors[last.output]
        made = (*self._layers[:-1], replace(last, name=self._layer.name, output=self._layer.output))
        layers: list[IntegerLayer] = []
        for other in self._graph.layers:
            layers += made if other is self._layer else [other]
        return replace(self._graph, tensors=self._tensors, layers=tuple(layers))

    def _along(self, axis: int, source: str) -> str:
        """The tensor of maxima along an axis; along columns at least a copy, so that there is a layer.

        Windows grow by pairs that may overlap: of 2 taps, of 4 as two of these, of 5 as two of those of 4.
        """
        layer = self._layer
        pads, stride = (layer.pads[axis], layer.pads[axis + 2]), layer.stride[axis]
        if layer.kernel[axis] == 1:
            plain = stride == 1 and not any(pads)
            if plain and (axis == 1 or self._layers):
                return source
            return self._sum(source, self._pair(axis, source, (1,), 1, stride, pads))
        covered = 1
        while covered < layer.kernel[axis]:
            grown = min(2 * covered, layer.kernel[axis])
            step = stride if grown == layer.kernel[axis] and stride <= _PACED else 1
            geometry = (grown - covered) * layer.dilation[axis], step, pads
            more = self._difference(source, self._pair(axis, source, (-1, 1), *geometry))
            source = self._sum(source, self._pair(axis, source, (1, 0), *geometry), self._plain(more))
            covered, pads = grown, (0, 0)
        return source if stride <= _PACED else self._sum(source, self._pair(axis, source, (1,), 1, stride, pads))

    def _pair(
        self, axis: int, source: str, taps: tuple[int, ...], apart: int, stride: int, pads: tuple[int, int]
    ) -> Segment:
        """Taps of a tensor along an axis, so far apart, with their weights."""
        channels = self._tensors[source].shape[0]
        shape = (1, 1, len(taps), 1) if axis == 0 else (1, 1, 1, len(taps))
        weights = np.array(taps, dtype=np.int64).reshape(shape).repeat(channels, axis=0)
        return Segment(
            source=source,
            weights=weights,
            depthwise=True,
            stride=(stride, 1) if axis == 0 else (1, stride),
            pads=(pads[0], 0, pads[1], 0) if axis == 0 else (0, pads[0], 0, pads[1]),
            dilation=(apart, 1) if axis == 0 else (1, apart),
        )

    def _plain(self, source: str) -> Segment:
        """A tensor of the output's size."""
        weights = np.ones((self._tensors[source].shape[0], 1, 1, 1), dtype=np.int64)
        return Segment(source=source, weights=weights, depthwise=True)

    def _difference(self, source: str, pair: Segment) -> str:
        """What is above 0 of a difference of levels."""
        low, high = self._tensors[source].span
        fmt = _integers(high - low)
        model = replace(self._tensors[source], format=fmt, zero=0, low=0, high=high - low)
        return self._layer_of(model, 0, (pair,))

    def _sum(self, source: str, *segments: Segment) -> str:
        """Levels of the source's own format."""
        model = self._tensors[source]
        return self._layer_of(model, -model.zero, segments)

    def _layer_of(self, model: QuantisedTensor, bias: int, segments: tuple[Segment, ...]) -> str:
        """A depthwise layer whose rescaler passes sums on; gives the tensor that it writes, which is like ``model``."""
        name = f"{self._layer.name}{_PART}{len(self._layers) + 1}"
        first = segments[0]
        channels, *size = self._tensors[first.source].shape
        height, width = (
            (n + first.pads[axis] + first.pads[axis + 2] - (kernel - 1) * apart - 1) // stride + 1
            for axis, (n, kernel, apart, stride) in enumerate(
                zip(size, first.weights.shape[2:], first.dilation, first.stride, strict=True)
            )
        )
        self._tensors[name] = replace(model, name=name, shape=(channels, height, width))
        bounds = final_sum_bounds([(segment.weights, self._tensors[segment.source].span) for segment in segments])
        self._layers.append(
            MacLayer(
                name=name,
                segments=segments,
                bias=np.full(channels, bias, dtype=np.int64),
                multiplicand=np.full(channels, 1 << (self._config.rescale_bits - 1), dtype=np.int64),
                shift=np.full(channels, self._config.rescale_bits - 1, dtype=np.int64),
                cert_bits=signed_bits(*bounds),
                output=name,
                origin=self._layer.origin,
            )
        )
        return name


def _integers(reach: int) -> Format:
    """The narrowest signed integers that hold 0 to ``reach``."""
    return next(fmt for bits in range(2, MAX_INT_BITS + 1) if (fmt := Int(bits)).top >= reach)
