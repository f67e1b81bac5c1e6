"""lower_layer: what one COMPUTE needs to do a layer, before its blocks, weights and parameters have places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import Mode, Opcode
from ...hw.spec.layout import TensorLayout
from ...hw.spec.tables import encode_table
from ...hw.spec.words import pack_codes
from ..errors import CapacityError
from ..outline import LayerOutline, is_outlined
from ..quantised import IntegerLayer, MacLayer, MaxLayer, QuantisedGraph
from .blocks import plan_blocks
from .emit import output_fields, signed_address, table_fields, walk_fields
from .geometry import BorderError, Window
from .layouts import layer_walk
from .params import param_words
from .plan import BlockPlan
from .pooling import group_layer, group_layouts, group_output, pooled_source
from .tables import Blank
from .weights import shared_words

__all__ = ["LoweredLayer", "lower_layer"]


@dataclass(frozen=True, kw_only=True)
class LoweredLayer:
    """A layer as fields of a COMPUTE without ``first_block``, ``weight_base`` and ``param_base``.

    ``weights`` are its weight words as bytes, ``params`` its parameter words as 32-bit beats (`Blank` where weights are
    not known), ``table`` the words of its table of levels; a max-pool has none.
    """

    fields: dict[str, int]
    blocks: tuple[BlockPlan, ...]
    weights: tuple[bytes, ...] | Blank = ()
    params: tuple[tuple[int, ...], ...] | Blank = ()
    table: bytes = b""

    @property
    def steps(self) -> int:
        """Words read for one tile."""
        return sum(block.groups * len(block.taps) for block in self.blocks)


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
    pooled = pooled_source(layer, layouts) is not None
    try:
        lowered = _mac(layer, graph, layouts, config) if isinstance(layer, MacLayer) else _max(layer, graph, layouts)
    except BorderError as error:
        raise CapacityError(f"layer {layer.name!r}: {error}") from error
    walk = layer_walk(layer, graph, layouts, config)
    assert walk is not None, "choose_layouts leaves no layer without a walk"
    lowered.fields.update(
        {
            **walk_fields(walk),
            **output_fields(graph.tensors[layer.output], layouts[layer.output], layer.enlarge, at),
            **(table_fields(layer.table) if isinstance(layer, MacLayer) and layer.table else {}),
            **(group_output(layouts[layer.output]) if pooled else {}),
            "opcode": Opcode.COMPUTE,
            "mode": Mode.MAC if isinstance(layer, MacLayer) else Mode.MAX,
            "block_count": len(lowered.blocks),
            "cert_bits": cert_bits,
        }
    )
    return lowered


def _mac(
    layer: MacLayer, graph: QuantisedGraph, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig
) -> LoweredLayer:
    if pooled_source(layer, layouts) is not None:
        layer, layouts = group_layer(layer, config.lanes), group_layouts(layer, layouts)
    plan = plan_blocks(layer, graph, layouts, config)
    tiles, outlined = len(plan.words), is_outlined(layer)
    words, shared = plan.words, None
    if 1 < config.diagonals == plan.channel_period and tiles > 1:
        shared = words[:: config.diagonals] if outlined else shared_words(words, config)
    if shared is not None:
        words = shared
    count, pitch, size = words.shape
    repeats = count == 1 or (not outlined and bool((words == words[:1]).all()))
    rows = 1 if repeats else count
    weights: tuple[bytes, ...] | Blank = Blank(layer.name, rows * pitch)
    params: tuple[tuple[int, ...], ...] | Blank = Blank(layer.name, tiles * config.tile_granules)
    if not outlined:
        packed = pack_codes(words[:rows].reshape(-1, size), config.weight_bits)
        weights = tuple(row.tobytes() for row in packed)
    if not isinstance(layer, LayerOutline):
        params = tuple(param_words(layer, config))
    return LoweredLayer(
        fields={
            "column_groups": tiles,
            "channel_period": plan.channel_period,
            "channel_step": signed_address(plan.channel_step),
            "fixed_step": signed_address(plan.fixed_step),
            "weight_pitch": 0 if repeats else pitch,
            "diagonal": int(shared is not None),
        },
        blocks=plan.blocks,
        weights=weights,
        params=params,
        table=encode_table(layer.table.levels, config.level_bits).tobytes() if layer.table else b"",
    )


def _max(layer: MaxLayer, graph: QuantisedGraph, layouts: Mapping[str, TensorLayout]) -> LoweredLayer:
    layout = layouts[layer.source]
    size = layer.size(graph.tensors[layer.output])
    window = Window.of(layer)
    planes = [window.taps(layout, size, plane=plane) for plane in reversed(range(layout.planes))]
    positions = zip(window.hits(layout, size), zip(*planes, strict=True), strict=True)
    taps = tuple(tap for hit, position in positions if hit for tap in position)
    return LoweredLayer(
        fields={
            "column_groups": -(-layout.channels // layout.lanes),
            "channel_period": 1,
            "channel_step": signed_address(layout.group_pitch),
        },
        blocks=(BlockPlan(base=layout.base, taps=taps),),
    )
