"""exact_sources, drain_of, sum_bounds, final_sums: what exact arithmetic is to know of a quantised layer and of the
tensors around it, and the layer's sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.certificate import final_sum_bounds, product_sum_bounds
from ..hw.spec.exact import Drain, ExactSource, exact_sums, largest_sums
from ..hw.spec.semantics import accumulate_products
from .quantised import HeldSegment, MacLayer, QuantisedTensor, Segment

__all__ = ["drain_of", "exact_sources", "final_sums", "sum_bounds"]


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


def final_sums(
    layer: MacLayer, tensors: Mapping[str, QuantisedTensor], levels: Mapping[str, NDArray[np.float32]]
) -> NDArray[Any]:
    """Sums of all segments of a layer, products of tensors included, before its bias.

    Parameters
    ----------
    layer : MacLayer
    tensors : mapping of QuantisedTensor
        Its sources, by name.
    levels : mapping of arrays, shape (C, N, H, W)
        Theirs.

    Returns
    -------
    array, shape (O, N, OH, OW)
        Whole numbers.
    """
    static = [segment for segment in layer.segments if not isinstance(segment, HeldSegment)]
    parts = [_product_sums(segment, tensors, levels) for segment in layer.products]
    if static:
        given = [levels[segment.source] for segment in static]
        sums = exact_sums(static, exact_sources(static, tensors), given)
        if not parts:
            return sums
        parts.append(sums.astype(np.int64))
    return np.sum(parts, axis=0)


def _product_sums(
    segment: HeldSegment, tensors: Mapping[str, QuantisedTensor], levels: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.int64]:
    x, w = (levels[name].transpose(1, 0, 2, 3).astype(np.int64) for name in (segment.source, segment.held))
    zero, held_zero = (tensors[name].zero for name in (segment.source, segment.held))
    return accumulate_products(x, zero, w, held_zero, depthwise=segment.depthwise).transpose(1, 0, 2, 3)
