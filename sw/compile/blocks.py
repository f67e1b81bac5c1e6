"""Blocks of a MAC layer: its segments times the digits of both operands, in the order the accumulator shifts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..outline import Outline, weight_codes
from ..quantised import MacLayer, QuantisedGraph, Segment
from .geometry import Tap, Window
from .unfolding import unfolded_weights
from .weights import channel_span, dense_words, diagonal_words, tile_count

__all__ = ["BlockPlan", "LayerBlocks", "plan_blocks", "strip_step"]


@dataclass(frozen=True, kw_only=True)
class BlockPlan:
    """A block before its taps have found their places; fields as in `isa.BLOCK`, addresses not yet reduced."""

    taps: tuple[Tap, ...]
    base: int = 0
    group_pitch: int = 0
    weight_base: int = 0
    groups: int = 1
    shift: int = 0
    hold: int = 0
    pad_code: int = 0


@dataclass(frozen=True, kw_only=True)
class LayerBlocks:
    """Blocks of a layer, its weight words (codes, see `weights.dense_words`) of each tile, and how channels advance."""

    blocks: tuple[BlockPlan, ...]
    words: NDArray[np.uint8]
    channel_period: int
    channel_step: int


def strip_step(layer: MacLayer, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig) -> int | None:
    """Words by which the channel offset advances where every tile reads its own channels only; None where it cannot.

    That takes a layer all of whose segments are depthwise and whose sources agree on the pitch of their channel groups.
    """
    pitches = {layouts[segment.source].group_pitch for segment in layer.segments}
    if len(pitches) > 1 or not all(segment.depthwise for segment in layer.segments):
        return None
    return channel_span(config) // config.lanes * pitches.pop()


def plan_blocks(
    layer: MacLayer, graph: QuantisedGraph, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig
) -> LayerBlocks:
    """Blocks and weight words of a layer.

    A digit plane of weights that is zero everywhere makes no blocks; a sum of positions left without any still
    shifts.
    """
    digits = config.digits
    tiles = tile_count(len(layer.bias), config)
    step = strip_step(layer, layouts, config)
    by_order: dict[int, list[BlockPlan]] = {}
    images: list[NDArray[np.uint8]] = []
    used = 0
    for segment in layer.segments:
        layout = layouts[segment.source]
        taps = Window.on(segment, layout).taps(layout, graph.tensors[layer.output].shape[1:])
        pads = digits.to_planes(graph.tensors[segment.source].zero, layout.planes)
        for weight_digit, codes in enumerate(weight_codes(segment, digits)):
            if codes is None:
                continue
            words = _segment_words(segment, codes, layout, config, strip=step is not None)
            plan, words = _arrange(words, taps, layout.group_pitch, known=not isinstance(segment, Outline))
            for digit in range(layout.planes):
                by_order.setdefault(weight_digit + digit, []).append(
                    replace(
                        plan, base=layout.base + digit * layout.plane_pitch, weight_base=used, pad_code=int(pads[digit])
                    )
                )
            images.append(words)
            used += words.shape[1]
    top = max(by_order, default=0)
    if any(order not in by_order for order in range(top + 1)):
        images.append(np.zeros((tiles, 1, config.columns * config.lanes), dtype=np.uint8))
        idle = BlockPlan(weight_base=used, taps=(Tap(0),))
        for order in range(top + 1):
            by_order.setdefault(order, [idle])
    blocks = []
    for order in range(top, -1, -1):
        first, *rest = by_order[order]
        blocks += [replace(first, shift=int(order < top)), *rest]
    return LayerBlocks(
        blocks=tuple(blocks),
        words=np.concatenate(images, axis=1),
        channel_period=1 if step is None else channel_span(config) // config.columns,
        channel_step=step or 0,
    )


def _segment_words(
    segment: Segment, codes: NDArray[np.uint8], layout: TensorLayout, config: AcceleratorConfig, *, strip: bool
) -> NDArray[np.uint8]:
    """Words of one weight digit, of shape (column groups, channel groups, taps, columns * lanes)."""
    if layout.unfold is not None:
        return dense_words(unfolded_weights(codes, layout.unfold), config)
    flat = codes.reshape(*codes.shape[:2], -1)
    if not segment.depthwise:
        return dense_words(flat, config)
    groups = -(-layout.channels // config.lanes)
    span = channel_span(config)
    if strip and span < groups * config.lanes:
        return diagonal_words(flat[:, 0], config, groups=span // config.lanes, span=span)
    return diagonal_words(flat[:, 0], config, groups=groups, span=groups * config.lanes)


def _arrange(
    words: NDArray[np.uint8], taps: tuple[Tap, ...], group_pitch: int, *, known: bool
) -> tuple[BlockPlan, NDArray[np.uint8]]:
    """Loops of a block, and its words in the order they are read, of shape (column groups, words, columns * lanes)."""
    tiles, groups, count, size = words.shape
    plan = BlockPlan(group_pitch=group_pitch, groups=groups, taps=taps)
    if known and count > 1 and (words == words[:, :, :1]).all():
        return replace(plan, hold=1), words[:, :, 0]
    strides = {after.offset - tap.offset for tap, after in itertools.pairwise(taps)}
    if count > groups and len(strides) == 1 and all(tap.always_valid for tap in taps):
        # Evenly spaced taps without borders can be the outer loop: the tap table then holds one entry a channel group.
        swapped = tuple(Tap(taps[0].offset + group * group_pitch) for group in range(groups))
        plan = replace(plan, group_pitch=strides.pop(), groups=count, taps=swapped)
        return plan, words.transpose(0, 2, 1, 3).reshape(tiles, -1, size)
    return plan, words.reshape(tiles, -1, size)
