"""What is known of a layer's output before calibration: its format, and whether it needs a table of levels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import Format, Int
from ..curves import Function
from ..graph import Graph
from ..layers import Mac, MaxPool, Product
from .evaluate import model_input
from .inputs import choose_input, finer
from .outputs import output_format
from .settings import QuantSettings
from .tensors import Choice

__all__ = [
    "curved_layers",
    "free_curves",
    "input_format",
    "planned_format",
    "planned_input",
    "shared_function",
    "tables_needed",
]

_MEAN_LEVEL = 2
"""Level that weights of 4 bits have on average, about."""


def input_format(graph: Graph, samples: NDArray, settings: QuantSettings) -> Format:
    """Format of a lowered graph's input for calibration samples (N, *input shape), where it has no trained grid."""
    return planned_input(graph, samples, settings).format


def planned_input(graph: Graph, samples: NDArray, settings: QuantSettings) -> Choice:
    """Format, scale and zero level of the same; in fine steps where a learned sum has it beside another tensor."""
    choice = choose_input(model_input(graph, samples), settings.input_bits)
    macs = [layer for layer in graph.layers if isinstance(layer, Mac) and graph.input.tensor in layer.sources]
    learned = [{term.source for term in layer.terms if not term.constant} for layer in macs]
    beside = any(graph.input.tensor in sources and len(sources) > 1 for sources in learned)
    return finer(choice) if beside and settings.input_bits is None else choice


def planned_format(layer: Mac | Product, graph: Graph, settings: QuantSettings, config: AcceleratorConfig) -> Format:
    """Format of what a layer writes, where it has no trained grid and is no output of trained integers."""
    if layer.output in graph.output_tensors:
        return output_format(config)
    if isinstance(layer, Product):
        return settings.act_format(layer.name)
    scaled_input = layer.sources == (graph.input.tensor,) and layer.terms[0].constant
    if scaled_input and config.digits.of_format(Int(8)) <= config.planes:
        return Int(8)  # the input itself, scaled and shifted: as precise as an input
    own = settings.layers.get(layer.name)
    usual = settings.act_format(layer.name)
    if settings.fine_averages and (own is None or own.acts is None) and _is_global_average(layer, graph):
        return _finest(layer.output, usual, graph, config)
    return usual


def _is_global_average(layer: Mac, graph: Graph) -> bool:
    """Whether a layer weighs all pixels of a channel alike and leaves one."""
    term = layer.terms[0]
    alone = len(layer.terms) == 1 and term.constant and np.ptp(term.weights) == 0
    return alone and graph.tensors[layer.output][1:] == (1, 1) != graph.tensors[term.source][1:]


def _finest(name: str, usual: Format, graph: Graph, config: AcceleratorConfig) -> Format:
    """Integers of up to 8 bits for a tensor of one pixel, or what it usually has where they leave its readers' sums no
    room for weights of `_MEAN_LEVEL`.

    Such a tensor is small: more digits of it cost next to nothing, and all that the network has found goes through it.
    """
    terms = [term for layer in graph.layers if isinstance(layer, Mac) for term in layer.terms if term.source == name]
    if any(isinstance(layer, MaxPool) and layer.source == name for layer in graph.layers):
        return usual
    inputs = max((term.weights[0].size for term in terms), default=0)
    room = (1 << (config.acc_bits - 1)) // max(1, _MEAN_LEVEL * inputs)
    fitting = (Int(bits) for bits in range(8, usual.bits, -1))
    fine = (fmt for fmt in fitting if config.digits.of_format(fmt) <= config.planes and fmt.top <= room)
    return next(fine, usual)


def curved_layers(graph: Graph) -> list[Mac]:
    """Layers whose results are looked up."""
    return [layer for layer in graph.layers if isinstance(layer, Mac) and layer.curve is not None]


def tables_needed(graph: Graph, format_of: Callable[[Mac], Format]) -> tuple[int, int]:
    """Tables that a lowered graph's curves need at least, and that they can use: one for each layer."""
    curved = curved_layers(graph)
    free = free_curves(graph)
    formats = [format_of(layer) for layer in free]
    shared = {(shared_function(layer, fmt)[0], fmt) for layer, fmt in zip(free, formats, strict=True)}
    return len(shared) + len(curved) - len(free), len(curved)


def free_curves(graph: Graph) -> list[Mac]:
    """Layers whose results are looked up in a table that no trained integers fix."""
    return [layer for layer in curved_layers(graph) if layer.grid is None and layer.output not in graph.grids]


def shared_function(layer: Mac, fmt: Format) -> tuple[Function, float, float]:
    """The function f that a layer shares a table of, where its own is ``gain * f + offset``; gain, offset.

    Levels at equal distances stand for ``gain * f + offset`` as they do for f, with another step and another zero
    level. Of other levels none may be at the zero level that an offset asks for, so that it is left to f.
    """
    assert layer.curve is not None
    core, gain, offset = layer.curve.without_affine
    if offset and fmt.octaves:
        return Function("add", (core, offset / gain)), gain, 0.0
    return core, gain, offset
