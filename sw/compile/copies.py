"""Copies of tensors for layers that could not read theirs: strides of several paces, more padding than is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...hw.spec.certificate import final_sum_bounds, signed_bits
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import BORDER_MAX
from ..integer.reader import Reader
from ..quantised import IntegerLayer, MacLayer, QuantisedGraph, QuantisedTensor, Segment
from .geometry import Window

__all__ = ["copy_of", "copy_strided_sources", "pad_sources"]

_Sides = tuple[int, int, int, int]


def pad_sources(graph: QuantisedGraph, config: AcceleratorConfig) -> QuantisedGraph:
    """The graph with padded copies where windows begin or end farther outside than the machine counts border pixels.

    Each copy adds as much as it can; of a tensor that several layers read, those that need equal padding share one.
    """
    tensors = dict(graph.tensors)
    layers: list[IntegerLayer] = []

    def padded(reader: Reader, size: tuple[int, int]) -> Reader:
        while any(more := _missing(reader, tensors[reader.source].shape[1:], size)):
            source = tensors[reader.source]
            name = f"{source.name} padded by {' '.join(map(str, more))}"
            if name not in tensors:
                shape = source.shape[0], source.shape[1] + more[0] + more[2], source.shape[2] + more[1] + more[3]
                low, high = source.span
                tensors[name] = replace(source, name=name, shape=shape, low=low, high=high)
                layers.append(copy_of(source, tensors[name], config, pads=more))
            top, left, bottom, right = (pad - add for pad, add in zip(reader.pads, more, strict=True))
            reader = reader.placed(name, (top, left, bottom, right), reader.inset)
        return reader

    for layer in graph.layers:
        size = layer.size(graph.tensors[layer.output])
        readers = [padded(reader, size) for reader in layer.readers] if layer.pads_as_zero(tensors) else layer.readers
        changed = any(new is not old for new, old in zip(readers, layer.readers, strict=True))
        layers.append(layer.with_readers(readers) if changed else layer)
    return graph if len(layers) == len(graph.layers) else replace(graph, tensors=tensors, layers=tuple(layers))


def _missing(reader: Reader, size: tuple[int, int], out_size: tuple[int, int]) -> _Sides:
    """Lines and columns to add at top, left, bottom and right: what is too far outside, as far as one copy goes."""
    window = Window.of(reader)
    before, behind = [], []
    for axis in range(2):
        counted = BORDER_MAX * window.stride[axis]
        last = (out_size[axis] - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis]
        before.append(min(BORDER_MAX, max(0, window.pad[axis] - counted)))
        behind.append(min(BORDER_MAX, max(0, last - window.pad[axis] - (size[axis] - 1) - counted)))
    return before[0], before[1], behind[0], behind[1]


def copy_strided_sources(
    graph: QuantisedGraph, layer: IntegerLayer, config: AcceleratorConfig
) -> QuantisedGraph | None:
    """The graph with copies in place of the strided sources of a layer; None if they all are copies already.

    A 1x1 kernel gets a copy of just the pixels it reads, any other one a whole copy, which is then free to be
    phase-split. A copy is a depthwise layer of weight 1 whose rescaler passes levels on unchanged; it has a name of its
    own, so that every engine checks it like any other layer.
    """
    tensors = dict(graph.tensors)
    made: list[MacLayer] = []
    segments: list[Segment] = []
    for segment in layer.segments:
        point = segment.kernel == (1, 1) and not any(segment.pads) and not any(segment.inset)
        stride = segment.stride if point else (1, 1)
        whole = f" for {layer.name}"
        name = f"{segment.source} every {stride[0]}x{stride[1]}" if point else segment.source + whole
        if segment.stride == (1, 1) or segment.source.endswith(whole):
            segments.append(segment)
            continue
        if name not in tensors:
            tensors[name] = _subsampled(tensors[segment.source], name, stride)
            made.append(copy_of(tensors[segment.source], tensors[name], config, stride=stride))
        segments.append(replace(segment, source=name, stride=(1, 1) if point else segment.stride))
    if all(segment is old for segment, old in zip(segments, layer.segments, strict=True)):
        return None
    layers: list[IntegerLayer] = []
    for other in graph.layers:
        layers += [*made, layer.with_readers(segments)] if other is layer else [other]
    return replace(graph, tensors=tensors, layers=tuple(layers))


def _subsampled(tensor: QuantisedTensor, name: str, stride: tuple[int, int]) -> QuantisedTensor:
    channels, height, width = tensor.shape
    low, high = tensor.span
    shape = (channels, -(-height // stride[0]), -(-width // stride[1]))
    return replace(tensor, name=name, shape=shape, low=low, high=high)


def copy_of(
    source: QuantisedTensor,
    target: QuantisedTensor,
    config: AcceleratorConfig,
    *,
    stride: tuple[int, int] = (1, 1),
    pads: _Sides = (0, 0, 0, 0),
) -> MacLayer:
    """A layer that passes levels on unchanged; it has its target's name."""
    channels = source.shape[0]
    weights = np.ones((channels, 1, 1, 1), dtype=np.int64)
    return MacLayer(
        name=target.name,
        segments=(Segment(source=source.name, weights=weights, depthwise=True, stride=stride, pads=pads),),
        bias=np.full(channels, -source.zero, dtype=np.int64),
        multiplicand=np.full(channels, 1 << (config.rescale_bits - 1), dtype=np.int64),
        shift=np.full(channels, config.rescale_bits - 1, dtype=np.int64),
        cert_bits=signed_bits(*final_sum_bounds([(weights, source.span)])),
        output=target.name,
    )
