"""lower_layer: what one COMPUTE needs to do a layer, before its blocks, weights and parameters have places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import Opcode
from ...hw.spec.layout import TensorLayout
from ..errors import CapacityError
from ..quantised import IntegerLayer, QuantisedGraph
from .emit import output_fields, walk_fields
from .geometry import BorderError
from .plan import LoweredLayer
from .planners import planner_of

__all__ = ["lower_layer"]


def lower_layer(
    layer: IntegerLayer,
    graph: QuantisedGraph,
    layouts: Mapping[str, TensorLayout],
    config: AcceleratorConfig,
    *,
    cert_bits: int = 0,
    at: tuple[int, int] = (0, 0),
) -> LoweredLayer:
    """Lower a layer, or a phase of one whose first pixel is ``at``, between tensors laid out as ``layouts`` says.

    Raises
    ------
    CapacityError
        If a tap reaches too far beyond a border, or a parameter does not fit.
    """
    planner = planner_of(layer, graph, config)
    try:
        lowered = planner.lower(layouts)
    except BorderError as error:
        raise CapacityError(f"layer {layer.name!r}: {error}") from error
    walk = planner.walk(layouts)
    assert walk is not None, "choose_layouts leaves no layer without a walk"
    fields = {
        **walk_fields(walk),
        **output_fields(graph.tensors[layer.output], layouts[layer.output], layer.enlarge, at),
        "opcode": Opcode.COMPUTE,
        "mode": planner.mode,
        "block_count": len(lowered.blocks),
        "cert_bits": cert_bits,
    }
    return replace(lowered, fields=fields | lowered.fields)
