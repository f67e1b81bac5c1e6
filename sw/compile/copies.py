"""Copies of tensors for layers whose sources no layout brings to one pace: a strided branch next to a plain one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...hw.spec.certificate import final_sum_bounds, signed_bits
from ...hw.spec.config import AcceleratorConfig
from ..quantised import MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment

__all__ = ["copy_strided_sources"]


def copy_strided_sources(graph: QuantisedGraph, layer: MacLayer, config: AcceleratorConfig) -> QuantisedGraph | None:
    """The graph with copies in place of the strided sources of a layer; None if they all are copies already.

    A 1x1 kernel gets a copy of just the pixels it reads, any other one a whole copy, which is then free to be
    phase-split. A copy is a depthwise layer of weight 1 whose rescaler passes levels on unchanged; it has a name of its
    own, so that every engine checks it like any other layer.
    """
    tensors = dict(graph.tensors)
    made: list[MacLayer] = []
    segments: list[Segment] = []
    for segment in layer.segments:
        point = segment.weights.shape[2:] == (1, 1) and not any(segment.pads) and not any(segment.inset)
        stride = segment.stride if point else (1, 1)
        whole = f" for {layer.name}"
        name = f"{segment.source} every {stride[0]}x{stride[1]}" if point else segment.source + whole
        if segment.stride == (1, 1) or segment.source.endswith(whole):
            segments.append(segment)
            continue
        if name not in tensors:
            tensors[name] = _subsampled(tensors[segment.source], name, stride)
            made.append(_copy(tensors[segment.source], tensors[name], stride, config))
        segments.append(replace(segment, source=name, stride=(1, 1) if point else segment.stride))
    if all(segment is old for segment, old in zip(segments, layer.segments, strict=True)):
        return None
    layers: list[MacLayer | MaxLayer] = []
    for other in graph.layers:
        layers += [*made, replace(layer, segments=tuple(segments))] if other is layer else [other]
    return replace(graph, tensors=tensors, layers=tuple(layers))


def _subsampled(tensor: QuantisedTensor, name: str, stride: tuple[int, int]) -> QuantisedTensor:
    channels, height, width = tensor.shape
    low, high = tensor.span
    shape = (channels, -(-height // stride[0]), -(-width // stride[1]))
    return replace(tensor, name=name, shape=shape, low=low, high=high)


def _copy(
    source: QuantisedTensor, target: QuantisedTensor, stride: tuple[int, int], config: AcceleratorConfig
) -> MacLayer:
    channels = source.shape[0]
    weights = np.ones((channels, 1, 1, 1), dtype=np.int64)
    return MacLayer(
        name=target.name,
        segments=(Segment(source=source.name, weights=weights, depthwise=True, stride=stride),),
        bias=np.full(channels, -source.zero, dtype=np.int64),
        multiplicand=np.full(channels, 1 << (config.rescale_bits - 1), dtype=np.int64),
        shift=np.full(channels, config.rescale_bits - 1, dtype=np.int64),
        cert_bits=signed_bits(*final_sum_bounds([(weights, source.span)])),
        output=target.name,
    )
