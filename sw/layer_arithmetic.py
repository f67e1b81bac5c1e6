"""exact_sources, drain_of: what exact arithmetic is to know of a quantised layer and of the tensors around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..hw.spec.exact import Drain, ExactSource, largest_sums
from .quantised import MacLayer, QuantisedTensor, Segment

__all__ = ["drain_of", "exact_sources"]


def exact_sources(segments: Sequence[Segment], tensors: Mapping[str, QuantisedTensor]) -> list[ExactSource]:
    """Spans and zero levels of the segments' sources, which ``tensors`` hold by name."""
    return [ExactSource(tensors[segment.source].span, tensors[segment.source].zero) for segment in segments]


def drain_of(layer: MacLayer, tensors: Mapping[str, QuantisedTensor]) -> Drain:
    """From the layer's final sums to the levels of its output; ``tensors`` hold sources and output by name."""
    output = tensors[layer.output]
    rounded = layer.table or output
    return Drain(
        largest_sums(layer.segments, exact_sources(layer.segments, tensors)),
        layer.bias,
        layer.multiplicand,
        layer.shift,
        zero=rounded.zero,
        fmt=output.format,
        low=rounded.low,
        high=rounded.high,
        table=layer.table.levels if layer.table else None,
    )
