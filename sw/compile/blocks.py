"""Blocks of a MAC layer: its segments times the digits of both operands, in the order the accumulator shifts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..outline import is_outlined
from ..quantised import HeldSegment, MacLayer, QuantisedGraph, Segment
from .geometry import Tap, Window
from .plan import BlockPlan
from .products import fixed_pitch, latched_once, plan_product, walked_tensors, with_zero_terms
from .unfolding import unfolded_weights
from .weights import channel_span, dense_words, diagonal_words, tile_count

__all__ = ["LayerBlocks", "plan_blocks", "strip_step"]

_LARGE = 4
"""A part of the tap table so large is too much for one average: a weight word for each of its lines saves most taps."""


@dataclass(frozen=True, kw_only=True)
class LayerBlocks:
    """Blocks of a layer, its weight words (codes, see `weights.dense_words`) of each tile, and how channels advance and
    what is latched at fixed addresses."""

    blocks: tuple[BlockPlan, ...]
    words: NDArray[np.uint8]
    channel_period: int
    channel_step: int
    fixed_step: int = 0


def strip_step(layer: MacLayer, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig) -> int | None:
    """Words by which the channel offset advances where every tile reads its own channels only; None where it cannot.

    That takes a layer all of whose segments are depthwise and whose sources agree on the pitch of their channel groups,
    and so do those that are held for all pixels.
    """
    read = [*(segment.source for segment in layer.segments), *walked_tensors(layer, layouts)]
    pitches = {layouts[name].group_pitch for name in read}
    apart = len(pitches) > 1 or fixed_pitch(layer, layouts) is None
    if apart or not all(segment.depthwise for segment in layer.segments):
        return None
    return channel_span(config) // config.lanes * pitches.pop()


def plan_blocks(
    layer: MacLayer, graph: QuantisedGraph, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig
) -> LayerBlocks:
    """Blocks and weight words of a layer.

    A digit plane of weights that is zero everywhere makes no blocks, and a tap that no channel weighs is not read; a
    sum of positions left without any block still shifts.
    """
    tiles = tile_count(len(layer.bias), config)
    step = strip_step(layer, layouts, config)
    # what a digit further up weighs, in shifts of the accumulators
    weight_steps, act_steps = (each.shift // config.digit_shift for each in (config.weight_digits, config.digits))
    by_order: dict[int, list[BlockPlan]] = {}
    images: list[NDArray[np.uint8]] = []
    start = 0
    for segment in with_zero_terms(layer, graph.tensors):
        if isinstance(segment, HeldSegment):
            product = plan_product(segment, graph, layouts, config, strip=step is not None, start=start)
            for order, blocks in product.by_order.items():
                by_order.setdefault(order, []).extend(blocks)
            images.append(product.words)
            start += product.words.shape[1]
            continue
        layout = layouts[segment.source]
        window, size = Window.on(segment, layout), layer.size(graph.tensors[layer.output])
        pads = config.digits.to_planes(graph.tensors[segment.source].zero, layout.planes)
        read = segment.read.ravel()
        words_of = {
            weight_digit: _segment_words(segment, codes, layout, config, strip=step is not None)
            for weight_digit, codes in enumerate(segment.codes(config.weight_digits))
            if codes is not None and read.any()
        }
        used = slice(None) if layout.unfold is not None or read.all() else read
        for weight_digit, words in words_of.items():
            taps = window.taps(layout, size, used=used)
            plan, words = _arrange(words[:, :, used], taps, layout.group_pitch, config, known=segment.known)
            for digit in range(layout.planes):
                base = layout.base + digit * layout.plane_pitch
                block = replace(plan, base=base, weight_base=start, pad_code=int(pads[digit]))
                by_order.setdefault(weight_digit * weight_steps + digit * act_steps, []).append(block)
            images.append(words)
            start += words.shape[1]
    top = max(by_order, default=0)
    if any(order not in by_order for order in range(top + 1)):
        images.append(np.zeros((tiles, 1, config.columns * config.lanes), dtype=np.uint8))
        idle = BlockPlan(weight_base=start, taps=(Tap(0),))
        start += 1
        for order in range(top + 1):
            by_order.setdefault(order, [idle])
    ordered = []
    for order in range(top, -1, -1):
        first, *rest = by_order[order]
        ordered += [replace(first, shift=int(order < top)), *rest]
    return LayerBlocks(
        blocks=tuple(latched_once(ordered)),
        words=_blank_words(tiles, start, config) if is_outlined(layer) else np.concatenate(images, axis=1),
        channel_period=1 if step is None else channel_span(config) // config.columns,
        channel_step=step or 0,
        fixed_step=_fixed_step(layer, layouts, config, strip=step is not None),
    )


def _fixed_step(layer: MacLayer, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig, *, strip: bool) -> int:
    """Words from what the columns of one channel period hold to that of the next."""
    if any(not segment.depthwise for segment in layer.products):
        return config.columns
    return channel_span(config) // config.lanes * (fixed_pitch(layer, layouts) or 0) if strip else 0


def _segment_words(
    segment: Segment, codes: NDArray[np.uint8], layout: TensorLayout, config: AcceleratorConfig, *, strip: bool
) -> NDArray[np.uint8]:
    """Words of one weight digit, of shape (column groups, channel groups, taps, columns * lanes)."""
    groups, span = -(-layout.channels // config.lanes), channel_span(config)
    if segment.depthwise and strip and span < groups * config.lanes:
        groups = span // config.lanes
    if not segment.known:
        taps = math.prod(Window.on(segment, layout).kernel)
        words = _blank_words(tile_count(len(codes), config), groups * taps, config)
        return words.reshape(len(words), groups, taps, -1)
    if layout.unfold is not None:
        return dense_words(unfolded_weights(codes, layout.unfold), config)
    flat = codes.reshape(*codes.shape[:2], -1)
    if not segment.depthwise:
        return dense_words(flat, config)
    return diagonal_words(flat[:, 0], config, groups=groups, span=groups * config.lanes)


def _blank_words(tiles: int, count: int, config: AcceleratorConfig) -> NDArray[np.uint8]:
    """Words of weights that are not known, of shape (column groups, words, columns * lanes); they take no memory."""
    return np.broadcast_to(np.uint8(0), (tiles, count, config.columns * config.lanes))


def _arrange(
    words: NDArray[np.uint8], taps: tuple[Tap, ...], group_pitch: int, config: AcceleratorConfig, *, known: bool
) -> tuple[BlockPlan, NDArray[np.uint8]]:
    """Loops of a block, and its words in the order they are read, of shape (column groups, words, columns * lanes)."""
    tiles, groups, count, size = words.shape
    plan = BlockPlan(group_pitch=group_pitch, groups=groups, taps=taps)
    if known and count > 1 and (words == words[:, :, :1]).all():
        lines = _lines(taps) if groups == 1 else None
        if lines is not None and count * _LARGE > config.taps:
            number, pitch = lines
            plan = replace(plan, groups=number, group_pitch=pitch, taps=taps[: count // number], hold=1)
            return plan, words[:, 0, :1].repeat(number, axis=1)
        return replace(plan, hold=1), words[:, :, 0]
    strides = {after.offset - tap.offset for tap, after in itertools.pairwise(taps)}
    if count > groups and len(strides) == 1 and all(tap.always_valid for tap in taps):
        # Evenly spaced taps without borders can be the outer loop: the tap table then holds one entry a channel group.
        swapped = tuple(Tap(taps[0].offset + group * group_pitch) for group in range(groups))
        plan = replace(plan, group_pitch=strides.pop(), groups=count, taps=swapped)
        return plan, words.transpose(0, 2, 1, 3).reshape(tiles, -1, size)
    return plan, words.reshape(tiles, -1, size)


def _lines(taps: tuple[Tap, ...]) -> tuple[int, int] | None:
    """Lines, and words from one to the next, of taps that are always valid and form a grid; None of others."""
    offsets = np.array([tap.offset for tap in taps])
    steps = np.diff(offsets)
    if not all(tap.always_valid for tap in taps):
        return None
    breaks = np.flatnonzero(steps != steps[0])
    if breaks.size:
        length = int(breaks[0]) + 1
    else:  # one long line: any number that divides it, the nearest to a square
        length = next(n for n in range(math.isqrt(len(taps)), 0, -1) if not len(taps) % n)
    if len(taps) % length:
        return None
    grid = offsets.reshape(-1, length)
    pitch = int(grid[1, 0] - grid[0, 0]) if len(grid) > 1 else 0
    expected = offsets[0] + np.add.outer(np.arange(len(grid)) * pitch, np.arange(length) * int(steps[0]))
    return (len(grid), pitch) if len(grid) > 1 and (grid == expected).all() else None
