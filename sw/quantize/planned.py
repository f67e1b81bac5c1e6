"""What is known of a layer's output before calibration: its format, and whether it needs a table of levels."""

from __future__ import annotations

from collections.abc import Callable

from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import Format, Int
from ..graph import Graph, Mac
from .evaluate import model_input
from .inputs import choose_input
from .outputs import output_format
from .settings import QuantSettings

__all__ = ["curved_layers", "input_format", "planned_format", "tables_needed"]


def input_format(graph: Graph, samples: NDArray) -> Format:
    """Format of a lowered graph's input for calibration samples (N, *input shape), where it has no trained grid."""
    return choose_input(model_input(graph, samples)).format


def planned_format(layer: Mac, graph: Graph, settings: QuantSettings, config: AcceleratorConfig) -> Format:
    """Format of what a layer writes, where it has no trained grid and is no output of trained integers."""
    if layer.output in graph.output_tensors:
        return output_format(config)
    scaled_input = layer.sources == (graph.input.tensor,) and layer.terms[0].constant
    if scaled_input and config.digits.of_format(Int(8)) <= config.planes:
        return Int(8)  # the input itself, scaled and shifted: as precise as an input
    return settings.act_format(layer.name)


def curved_layers(graph: Graph) -> list[Mac]:
    """Layers whose results are looked up."""
    return [layer for layer in graph.layers if isinstance(layer, Mac) and layer.curve is not None]


def tables_needed(graph: Graph, format_of: Callable[[Mac], Format]) -> tuple[int, int]:
    """Tables that a lowered graph's curves need at least, and that they can use: one for each layer."""
    curved = curved_layers(graph)
    free = [layer for layer in curved if layer.grid is None and layer.output not in graph.grids]
    return len({(layer.curve, format_of(layer)) for layer in free}) + len(curved) - len(free), len(curved)
