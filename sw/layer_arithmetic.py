"""exact_sources, drain_of, sum_bounds: what exact arithmetic is to know of a quantised layer and of the tensors around
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.certificate import final_sum_bounds, product_sum_bounds
from ..hw.spec.exact import Drain, ExactSource, largest_sums
from .quantised import HeldSegment, MacLayer, QuantisedTensor, Segment

__all__ = ["drain_of", "exact_sources", "sum_bounds"]


def exact_sources(segments: Sequence[Segment], tensors: Mapping[str, QuantisedTensor]) -> list[ExactSource]:
    """Spans and zero levels of the segments' sources, which ``tensors`` hold by name."""
    return [ExactSource(tensors[segment.source].span, tensors[segment.source].zero) for segment in segments]


def sum_bounds(
    segments: Sequence[Segment], tensors: Mapping[str, QuantisedTensor]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest final sum of each output channel, whatever levels of their spans the ``tensors`` hold."""
    low, high = final_sum_bounds((segment.weights, tensors[segment.source].span) for segment in segments)
    for segment in segments:
        if isinstance(segment, HeldSegment):  # its weights were blank
            least, most = _product_bounds(segment, tensors)
            low, high = low + least, high + most
    return low, high


def _product_bounds(segment: HeldSegment, tensors: Mapping[str, QuantisedTensor]) -> tuple[int, int]:
    x, w = tensors[segment.source], tensors[segment.held]
    return product_sum_bounds(x.span, x.zero, w.span, w.zero, segment.weights.shape[1])


def drain_of(layer: MacLayer, tensors: Mapping[str, QuantisedTensor]) -> Drain:
    """From the layer's final sums to the levels of its output; ``tensors`` hold sources and output by name."""
    output = tensors[layer.output]
    rounded = layer.table or output
    products = sum(max(map(abs, _product_bounds(segment, tensors))) for segment in layer.products)
    return Drain(
        largest_sums(layer.segments, exact_sources(layer.segments, tensors)) + products,
        layer.bias,
        layer.multiplicand,
        layer.shift,
        zero=rounded.zero,
        fmt=output.format,
        low=rounded.low,
        high=rounded.high,
        table=layer.table.levels if layer.table else None,
    )
