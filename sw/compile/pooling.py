"""Averages over whole images with channel groups in place of pixels: rows sum one channel group each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..outline import is_outlined
from ..quantised import MacLayer, QuantisedGraph
from .emit import signed_address
from .geometry import Walk

__all__ = ["group_layouts", "group_output", "group_walk", "pooled_source", "pools_groups"]


def pools_groups(layer: MacLayer, graph: QuantisedGraph, config: AcceleratorConfig) -> bool:
    """Whether all channel groups of a layer can be treated alike: each a row of the array, with the same weights.

    That takes one output pixel, the same weights and parameters for every channel, and channel groups that are full
    and whole tiles. The source must then be interleaved (`TensorLayout`).
    """
    if is_outlined(layer) or len(layer.segments) != 1 or config.lanes % config.columns:
        return False
    if layer.products or layer.enlarge != (1, 1):
        return False
    (segment,) = layer.segments
    per_channel = (segment.weights, layer.bias, layer.multiplicand, layer.shift)
    return (
        segment.depthwise
        and graph.tensors[layer.output].shape[1:] == (1, 1)
        and not any(segment.pads)
        and not any(segment.inset)
        and len(layer.bias) % config.lanes == 0
        and all((values == values[:1]).all() for values in map(np.asarray, per_channel))
    )


def pooled_source(layer: MacLayer, layouts: Mapping[str, TensorLayout]) -> TensorLayout | None:
    """Layout of the source of a layer that treats its channel groups as pixels; None if it does not.

    Tensors are laid out interleaved for nothing else.
    """
    source = layouts[layer.segments[0].source]
    return source if source.interleaved else None


def group_layouts(layer: MacLayer, layouts: Mapping[str, TensorLayout]) -> dict[str, TensorLayout]:
    """Layouts in which the source has one channel group."""
    source = layouts[layer.segments[0].source]
    return {**layouts, layer.segments[0].source: replace(source, channels=source.lanes)}


def group_walk(source: TensorLayout, output: TensorLayout, config: AcceleratorConfig) -> Walk:
    """Walk over the channel groups of an interleaved source: as many at a time as the array has rows, or so few that
    those that are drained side by side are written to different banks."""
    groups = source.channels // source.lanes
    rows = min(config.rows, groups)
    while not all(output.group_pitch * apart % config.banks for apart in range(1, min(config.drain_rows, rows))):
        rows -= 1
    return Walk(rows=rows, wrap=1, origin_step=rows, origin_line=0, groups=-(-groups // rows))


def group_output(layout: TensorLayout) -> dict[str, int]:
    """Fields of a COMPUTE that writes a channel group for every pixel."""
    step = signed_address(layout.group_pitch)
    return {"out_height": 1, "out_width": layout.channels // layout.lanes, "out_dx_even": step, "out_dx_odd": step}
