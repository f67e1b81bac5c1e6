"""sketch: a quantised graph of a float graph's shapes and formats with made-up weights, to know costs beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import Format, Int
from ..compile import compile_graph
from ..errors import CapacityError, CertificateError
from ..graph import Graph, Layer, Mac, MaxPool, Term
from ..program import Program
from ..quantised import InputSpec, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment
from ..quantize import QuantSettings
from ..quantize.outputs import output_format
from ..quantize.tensors import on_grid

__all__ = ["Estimate", "alone", "estimate", "functions", "sketch"]

_WIDE = 32  # accumulators of made-up weights need more bits than trained ones; no cycle depends on it
_MERGED = 24  # a constant beside other weights, such as a skip connection's, mostly takes two codes
_ROOMY = {
    "act_words": 65536,
    "weight_words": 65536,
    "param_words": 4096,
    "taps": 1024,
    "blocks": 1024,
    "instructions": 1024,
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A program of made-up weights, None if none fits, and why the configuration asked for is too small, if it is."""

    program: Program | None
    problem: str = ""


def estimate(graph: Graph, config: AcceleratorConfig, settings: QuantSettings) -> Estimate:
    """What a lowered float graph would be compiled to, with larger memories or a backing store where it does not fit.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac` and `MaxPool` layers only.
    config : AcceleratorConfig
    settings : QuantSettings
    """
    wide = replace(config, acc_bits=_WIDE)
    problems: list[str] = []
    least, most = functions(graph)
    lacking = f"the model looks {least} functions up, the configuration has {config.tables} tables: set tables = {most}"
    candidates = (wide, replace(wide, **_ROOMY), replace(wide, **_ROOMY, drain_rows=1, backing="axi4"))
    for candidate in candidates:
        try:
            program = compile_graph(sketch(graph, candidate, settings), candidate)
        except (CapacityError, CertificateError) as error:
            problems.append(str(error))
        else:
            cure = (
                ', or keep tensors in a backing store (backing = "axi4")'
                if len(problems) == len(candidates) - 1
                else ""
            )
            return Estimate(
                program=program, problem=problems[0] + cure if problems else lacking if least > config.tables else ""
            )
    return Estimate(program=None, problem=problems[0])


def functions(graph: Graph) -> tuple[int, int]:
    """Tables that a lowered graph's curves need at least, and that they can use: one for each layer, up to 15."""
    curves = [layer.curve for layer in graph.layers if isinstance(layer, Mac) and layer.curve is not None]
    return len(set(curves)), min(len(curves), 15)


def sketch(graph: Graph, config: AcceleratorConfig, settings: QuantSettings) -> QuantisedGraph:
    """A quantised graph as quantisation would give it, but for the values of weights, scales and zero levels.

    The input is taken to be integers of 8 bits, so that every network that has been fed images is served.
    """
    rng = np.random.default_rng(0)
    tensors = {graph.input.tensor: _tensor(graph, graph.input.tensor, Int(8, signed=False), config)}
    outputs = {name for name, _ in graph.outputs}
    layers: list[MacLayer | MaxLayer] = []
    for layer in graph.layers:
        if isinstance(layer, MaxPool):
            tensors[layer.output] = replace(tensors[layer.source], name=layer.output, shape=graph.tensors[layer.output])
            layers.append(_max_layer(layer))
        elif isinstance(layer, Mac):
            fmt = output_format(config) if layer.output in outputs else settings.act_format(layer.name)
            tensors[layer.output] = _tensor(graph, layer.output, fmt, config)
            layers.append(_mac_layer(layer, graph, config, settings, rng))
        else:
            raise TypeError(f"the graph must be lowered, not hold a {type(layer).__name__}")
    return QuantisedGraph(
        name=graph.name, tensors=tensors, input=graph.input, layers=tuple(layers), outputs=graph.outputs
    )


def alone(layer: Layer, graph: Graph) -> list[Graph]:
    """Graphs of one layer each that together do a layer's work: one for each shape of its sources."""
    sources: dict[tuple[int, int, int], str] = {}
    for name in layer.sources:
        sources.setdefault(graph.tensors[name], name)
    graphs = []
    for shape, name in sources.items():
        own = layer
        if isinstance(layer, Mac):
            terms = tuple(replace(term, source=name) for term in layer.terms if graph.tensors[term.source] == shape)
            own = replace(layer, terms=terms)
        tensors = {name: shape, layer.output: graph.tensors[layer.output]}
        graphs.append(
            Graph(
                name=layer.name,
                tensors=tensors,
                input=InputSpec(tensor=name, shape=shape),
                layers=(own,),
                outputs=((layer.output, tensors[layer.output]),),
            )
        )
    return graphs


def _tensor(graph: Graph, name: str, fmt: Format, config: AcceleratorConfig) -> QuantisedTensor:
    if (grid := graph.grids.get(name)) is not None:
        return on_grid(name, graph.tensors[name], grid, -np.inf, np.inf, config.digits)
    return QuantisedTensor(
        name=name, shape=graph.tensors[name], format=fmt, scale=1.0, zero=0, low=fmt.bottom, high=fmt.top
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
    layer: Mac, graph: Graph, config: AcceleratorConfig, settings: QuantSettings, rng: np.random.Generator
) -> MacLayer:
    channels = graph.tensors[layer.output][0]
    edge = graph.input.tensor in layer.sources or layer.output in {name for name, _ in graph.outputs}
    levels = settings.weight_format(layer.name, edge=edge).levels
    bias = rng.integers(-4096, 4096, channels)  # mostly different, or parameter words would be shared
    if all(term.constant for term in layer.terms):
        bias = np.zeros(channels, dtype=np.int64)  # averages treat all channels alike
    return MacLayer(
        name=layer.name,
        segments=tuple(_segment(term, layer.terms, levels, rng) for term in layer.terms),
        bias=bias,
        multiplicand=np.full(channels, 1 << (config.rescale_bits - 1), dtype=np.int64),
        shift=np.full(channels, min(4, config.shift_max), dtype=np.int64),
        cert_bits=_WIDE,
        output=layer.output,
    )


def _segment(term: Term, terms: Sequence[Term], levels: np.ndarray, rng: np.random.Generator) -> Segment:
    if term.step is not None:
        steps = np.asarray(term.step)[:, np.newaxis, np.newaxis, np.newaxis]
        weights = np.rint(term.weights / np.where(steps > 0, steps, 1)).astype(np.int64)
    elif term.constant:
        weights = np.full(term.weights.shape, _MERGED if len(terms) > 1 else 1, dtype=np.int64)
    else:
        weights = rng.choice(levels, term.weights.shape).astype(np.int64)
    return Segment(
        source=term.source,
        weights=weights,
        depthwise=term.depthwise,
        stride=term.window.stride,
        pads=term.window.pads,
        dilation=term.window.dilation,
    )
