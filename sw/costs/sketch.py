"""sketch: a quantised graph of a float graph's shapes and formats whose weights are blank, to know costs beforehand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...hw.spec.certificate import signed_bits
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import Format, Int
from ..enlarging import Factors
from ..graph import Graph
from ..integer.segments import sum_bounds
from ..layers import Mac, MaxPool, Product, Term
from ..outline import LayerOutline, Outline, blank_weights
from ..quantised import IntegerLayer, MacLayer, QuantisedGraph, QuantisedTensor, Segment
from ..quantize import QuantSettings
from ..quantize.kept import is_kept, least_segments
from ..quantize.outputs import widest_integers
from ..quantize.planned import planned_format
from ..quantize.products import product_segment
from ..quantize.tensors import on_grid
from ..states import State

__all__ = ["IMAGE", "MERGED", "sketch"]

MERGED = 24
"""Level of a constant beside other weights, such as a skip connection's: mostly it takes two codes."""

IMAGE = Int(8, signed=False)
"""Format of an input of which nothing is known: that of images."""

_SIGNED = Int(8)


def sketch(
    graph: Graph,
    config: AcceleratorConfig,
    settings: QuantSettings,
    source: Format = IMAGE,
    *,
    merged: int = MERGED,
) -> QuantisedGraph:
    """A quantised graph as quantisation would give it, but for scales, zero levels and the values of learned weights.

    Trained integers are there as they are; ``merged`` is the level of constants beside other weights.
    """
    name = graph.input.tensor
    tensors = {name: _tensor(graph, name, source, config)}
    writers = graph.producers()
    for state in graph.states:
        writer = writers[state.update]
        assert isinstance(writer, Mac), "lowering gives every state a copy of its own"
        fmt = planned_format(writer, graph, settings, config)
        tensors[state.tensor] = _tensor(graph, state.tensor, fmt, config)
    layers: list[IntegerLayer] = []
    for layer in graph.layers:
        if isinstance(layer, MaxPool):
            tensors[layer.output] = replace(tensors[layer.source], name=layer.output, shape=graph.tensors[layer.output])
            layers.append(layer.max_layer())
        elif isinstance(layer, Mac):
            kept = is_kept(layer, graph)
            ends_kept = kept and layer.curve is None and layer.output in graph.output_tensors
            fmt = widest_integers(config) if ends_kept else planned_format(layer, graph, settings, config)
            tensors[layer.output] = _tensor(graph, layer.output, fmt, config, layer.low, layer.high)
            if kept:
                segments = _kept(layer, graph, tensors, config)
            else:
                segments = _outlines(layer, graph, config, settings, merged)
            layers.append(_mac_layer(layer, segments, tensors, config, least=merged == 1))
        elif isinstance(layer, Product):
            fmt = planned_format(layer, graph, settings, config)
            tensors[layer.output] = _tensor(graph, layer.output, fmt, config)
            layers.append(_outlined(layer, (product_segment(layer, tensors),), tensors, config))
        else:
            raise TypeError(f"the graph must be lowered, not hold a {type(layer).__name__}")
    return QuantisedGraph(
        name=graph.name,
        tensors=tensors,
        input=graph.input,
        layers=tuple(layers),
        outputs=graph.outputs,
        states=tuple(_blank(state, tensors[state.tensor]) for state in graph.states),
    )


def _blank(state: State, tensor: QuantisedTensor) -> State:
    """The state, at first all zero."""
    return State(tensor=state.tensor, update=state.update, initial=np.full(tensor.shape, tensor.zero))


def _tensor(
    graph: Graph, name: str, fmt: Format, config: AcceleratorConfig, low: float = -np.inf, high: float = np.inf
) -> QuantisedTensor:
    if (grid := graph.grids.get(name)) is not None:
        return on_grid(name, graph.tensors[name], grid, low, high, config.digits)
    zero = fmt.bottom if low >= 0 else 0  # levels below the zero level of what is never negative stay unused
    return QuantisedTensor(
        name=name, shape=graph.tensors[name], format=fmt, scale=1.0, zero=zero, low=fmt.bottom, high=fmt.top
    )


def _mac_layer(
    layer: Mac,
    segments: tuple[Segment, ...],
    tensors: dict[str, QuantisedTensor],
    config: AcceleratorConfig,
    *,
    least: bool,
) -> MacLayer:
    if not all(segment.known for segment in segments):
        # learned weights are made to fit the accumulator, as far as that goes: by luck of rounding even further
        return _outlined(layer, segments, tensors, config, 1 if least else _coarsest_bits(layer, tensors))
    return _outlined(layer, segments, tensors, config)


def _outlined(
    layer: Mac | Product,
    segments: tuple[Segment, ...],
    tensors: dict[str, QuantisedTensor],
    config: AcceleratorConfig,
    bits: int | None = None,
) -> MacLayer:
    """A layer whose certificate asks for so many accumulator bits, or as its segments say."""
    enlarge = layer.enlarge if isinstance(layer, Mac) else (1, 1)
    channels = tensors[layer.output].shape[0] * math.prod(enlarge)
    return LayerOutline(
        name=layer.name,
        segments=segments,
        bias=np.zeros(channels, dtype=np.int64),
        multiplicand=np.full(channels, 1 << (config.rescale_bits - 1), dtype=np.int64),
        shift=np.full(channels, min(4, config.shift_max), dtype=np.int64),
        cert_bits=signed_bits(*sum_bounds(segments, tensors)) if bits is None else bits,
        output=layer.output,
        enlarge=enlarge,
    )


def _coarsest_bits(layer: Mac, tensors: dict[str, QuantisedTensor]) -> int:
    """Accumulator bits of a layer whose learned weights are on the coarsest scale that quantisation tries.

    Bytes of an input may be signed ones: only samples tell.
    """

    def bits(*, signed: bool) -> int:
        low, high = np.zeros(len(layer.bias), dtype=np.int64), np.zeros(len(layer.bias), dtype=np.int64)
        for term, (below, above) in zip(layer.terms, layer.large_weights, strict=True):
            tensor = tensors[term.source]
            first, last = (_SIGNED.bottom, _SIGNED.top) if signed and tensor.format is IMAGE else tensor.span
            low += above * first - below * last
            high += above * last - below * first
        return signed_bits(low, high)

    return min(bits(signed=False), bits(signed=True))


def _kept(
    layer: Mac, graph: Graph, tensors: dict[str, QuantisedTensor], config: AcceleratorConfig
) -> tuple[Segment, ...]:
    """Trained integers, in the multiples at least that bring the terms to one scale."""
    output, grid = tensors[layer.output], graph.grids.get(layer.output)
    if layer.curve is not None:
        grid = layer.grid
    return least_segments(layer, tensors, output, grid, config)


def _outlines(
    layer: Mac, graph: Graph, config: AcceleratorConfig, settings: QuantSettings, merged: int
) -> tuple[Segment, ...]:
    """Segments of learned weights, and of constants as they mostly come out."""
    edge = graph.input.tensor in layer.sources or layer.output in graph.output_tensors
    levels = settings.weight_format(layer.name, edge=edge).levels
    digits = tuple(bool(codes.any()) for codes in config.weight_digits.fewest_codes(levels))

    def segment(term: Term) -> Segment:
        if not term.constant:
            blank = term.segment(blank_weights(term.weights.shape))
            return Outline(digits=digits, taps=term.read, diagonal=_diagonal(term, layer.enlarge), **vars(blank))
        level = merged if len(layer.terms) > 1 else 1
        return term.segment(np.full(term.weights.shape, level, dtype=np.int64))

    return tuple(map(segment, layer.terms))


def _diagonal(term: Term, factors: Factors) -> bool:
    """Whether each channel of each phase reads just the channel of its own number."""
    phases = math.prod(factors)
    outputs, inputs = term.weights.shape[0] // phases, term.weights.shape[1]
    if phases == 1 or outputs != inputs:
        return False
    own = np.arange(outputs)
    split = term.weights.reshape(phases, outputs, inputs, -1)
    return np.count_nonzero(split) == np.count_nonzero(split[:, own, own])
