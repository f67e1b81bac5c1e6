"""sketch: a quantised graph of a float graph's shapes and formats whose weights are blank, to know costs beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...hw.spec.certificate import signed_bits
from ...hw.spec.config import MOST_INSTRUCTIONS, AcceleratorConfig
from ...hw.spec.formats import Format, Int
from ...hw.spec.memories import words_in_window
from ..compile import compile_graph
from ..errors import CapacityError, CertificateError
from ..graph import Graph
from ..layer_arithmetic import sum_bounds
from ..layers import Mac, MaxPool, Product, Term
from ..outline import LayerOutline, Outline, blank_weights
from ..program import Program
from ..quantised import MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment
from ..quantize import QuantSettings
from ..quantize.kept import is_kept, least_segments
from ..quantize.outputs import widest_integers
from ..quantize.planned import curved_layers, planned_format, tables_needed
from ..quantize.products import product_segment
from ..quantize.tensors import on_grid
from ..quantize.trained import settings_beside
from ..shortage import Shortage
from ..states import State

__all__ = ["Estimate", "estimate", "roomy", "sketch", "with_larger_memories"]

_MERGED = 24  # a constant beside other weights, such as a skip connection's, mostly takes two codes
_IMAGE, _SIGNED = Int(8, signed=False), Int(8)
_MOST_WORDS = 65536
_ROOMY = {
    "act_words": 65536,
    "weight_words": 65536,
    "param_words": 65536,
    "taps": 1024,
    "blocks": 1024,
    "instructions": 1024,
    "memories": "dual",
    "max_pool": 1,
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A program with blank weights, None if none fits, and all that the configuration asked for lacks.

    ``problems`` are lines for people; ``shortages`` those of them that can be counted.
    """

    program: Program | None
    shortages: tuple[Shortage, ...] = ()
    problems: tuple[str, ...] = ()


def roomy(config: AcceleratorConfig) -> AcceleratorConfig:
    """The same array with the largest memories, and a max-pool unit."""
    sizes = {
        name: min(_ROOMY[name], words_in_window(bits))
        for name, bits in (
            ("act_words", config.act_word_bits),
            ("weight_words", config.weight_word_bits),
            ("param_words", config.param_word_bits),
        )
    }
    return replace(config, **{**_ROOMY, **sizes})


def estimate(
    graph: Graph,
    config: AcceleratorConfig,
    settings: QuantSettings,
    *,
    source: Format = _IMAGE,
    only: bool = False,
    least: bool = False,
) -> Estimate:
    """What a lowered float graph would be compiled to, with larger memories or a backing store where it does not fit.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac`, `MaxPool` and `Product` layers only.
    config : AcceleratorConfig
    settings : QuantSettings
    source : Format
        Of the input, where it has no trained grid; that of images unless samples say something else.
    only : bool
        Whether no other configuration is tried where the model does not fit.
    least : bool
        Whether what only calibration tells is taken to need as little as it can: what is lacking then always is.
    """
    settings = settings_beside(graph, settings).for_layers(graph.layers)
    found: Program | None = None
    shortages: tuple[Shortage, ...] = ()
    problems: tuple[str, ...] = ()
    needed, _ = tables = tables_needed(graph, lambda layer: planned_format(layer, graph, settings, config))
    try:
        found = compile_graph(sketch(graph, config, settings, source, merged=1 if least else _MERGED), config)
    except (CapacityError, CertificateError) as error:
        shortages, problems = error.shortages, () if error.shortages else (str(error),)
    if needed > config.tables:
        shortages += (Shortage.of_tables(config, *tables, layer=curved_layers(graph)[0].name),)
    problems = (*map(str, shortages), *problems)
    if found is None and not only:
        found = _elsewhere(graph, config, settings, source, shortages)
    return Estimate(program=found, shortages=shortages, problems=problems)


def with_larger_memories(found: Estimate, graph: Graph, config: AcceleratorConfig, settings: QuantSettings) -> Estimate:
    """The same; where no core with a backing store has so many instructions, the memories at which they suffice.

    Tensors and weights are cut into fewer parts then. Arguments are those of :func:`estimate`.
    """
    hopeless = [lack.parameter for lack in found.shortages if lack.enough is None]
    if hopeless != ["instructions"] or not config.has_backing:
        return found
    given = {lack.parameter: lack.enough for lack in found.shortages if lack.enough is not None}
    words = {name: getattr(config, name) for name in ("act_words", "weight_words")}
    while min(words.values()) < _MOST_WORDS:
        words = {name: min(_MOST_WORDS, 2 * count) for name, count in words.items()}
        for names in (("act_words",), ("weight_words",), ("act_words", "weight_words")):
            more = {name: words[name] for name in names}
            wide = replace(config, **{"instructions": MOST_INSTRUCTIONS, **given, **more})
            try:
                program = compile_graph(sketch(graph, wide, settings), wide)
            except (CapacityError, CertificateError):
                continue
            if (count := len(program.instructions)) > config.instructions:
                more["instructions"] = count
            raised = ", ".join(f"{name} to {value}" for name, value in more.items())
            cure = f"raise {raised}, so that the model is cut into fewer parts"
            lacks = tuple(replace(lack, cure=cure) if lack.enough is None else lack for lack in found.shortages)
            return replace(found, shortages=lacks, problems=tuple(map(str, lacks)))
    return found


def _elsewhere(
    graph: Graph, config: AcceleratorConfig, settings: QuantSettings, source: Format, shortages: tuple[Shortage, ...]
) -> Program | None:
    """The program for the nearest configuration that holds the model."""
    lacking = {lack.parameter for lack in shortages}
    wide = {"acc_bits": 32} if "acc_bits" in lacking else {}
    if "dynamic" in lacking and config.weight_format == config.act_format:
        wide["dynamic"] = 1
    grown = replace(roomy(config), **wide)
    streamed = replace(grown, backing="axi4")
    for candidate in (grown, streamed):
        try:
            return compile_graph(sketch(graph, candidate, settings, source), candidate)
        except (CapacityError, CertificateError):
            continue
    return None


def sketch(
    graph: Graph,
    config: AcceleratorConfig,
    settings: QuantSettings,
    source: Format = _IMAGE,
    *,
    merged: int = _MERGED,
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
    layers: list[MacLayer | MaxLayer] = []
    for layer in graph.layers:
        if isinstance(layer, MaxPool):
            tensors[layer.output] = replace(tensors[layer.source], name=layer.output, shape=graph.tensors[layer.output])
            layers.append(_max_layer(layer))
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


def _max_layer(layer: MaxPool) -> MaxLayer:
    window = layer.window
    return MaxLayer(
        name=layer.name,
        source=layer.source,
        kernel=window.kernel,
        stride=window.stride,
        pads=window.pads,
        dilation=window.dilation,
        output=layer.output,
    )


def _mac_layer(
    layer: Mac,
    segments: tuple[Segment, ...],
    tensors: dict[str, QuantisedTensor],
    config: AcceleratorConfig,
    *,
    least: bool,
) -> MacLayer:
    if any(isinstance(segment, Outline) for segment in segments):
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
    channels = tensors[layer.output].shape[0]
    return LayerOutline(
        name=layer.name,
        segments=segments,
        bias=np.zeros(channels, dtype=np.int64),
        multiplicand=np.full(channels, 1 << (config.rescale_bits - 1), dtype=np.int64),
        shift=np.full(channels, min(4, config.shift_max), dtype=np.int64),
        cert_bits=signed_bits(*sum_bounds(segments, tensors)) if bits is None else bits,
        output=layer.output,
    )


def _coarsest_bits(layer: Mac, tensors: dict[str, QuantisedTensor]) -> int:
    """Accumulator bits of a layer whose learned weights are on the coarsest scale that quantisation tries.

    Bytes of an input may be signed ones: only samples tell.
    """

    def bits(*, signed: bool) -> int:
        low, high = np.zeros(len(layer.bias), dtype=np.int64), np.zeros(len(layer.bias), dtype=np.int64)
        for term, (below, above) in zip(layer.terms, layer.large_weights, strict=True):
            tensor = tensors[term.source]
            first, last = (_SIGNED.bottom, _SIGNED.top) if signed and tensor.format is _IMAGE else tensor.span
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
        window, shape = term.window, term.weights.shape
        geometry = {
            "source": term.source,
            "depthwise": term.depthwise,
            "stride": window.stride,
            "pads": window.pads,
            "dilation": window.dilation,
            "inset": window.inset,
        }
        if not term.constant:
            return Outline(weights=blank_weights(shape), digits=digits, taps=term.read, **geometry)
        level = merged if len(layer.terms) > 1 else 1
        return Segment(weights=np.full(shape, level, dtype=np.int64), **geometry)

    return tuple(map(segment, layer.terms))
