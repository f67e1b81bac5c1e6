"""Blocks of products of two tensors: those that latch words of one, and those that multiply with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.held import latch_steps, latched_rows
from ...hw.spec.layout import TensorLayout
from ..errors import CapacityError
from ..quantised import HeldSegment, MacLayer, QuantisedGraph, QuantisedTensor, Segment
from .geometry import Tap
from .plan import BlockPlan
from .weights import channel_span, dense_words, diagonal_words

__all__ = [
    "ProductBlocks",
    "fixed_pitch",
    "latched_once",
    "moves",
    "plan_product",
    "product_steps",
    "refuse_products",
    "walked_tensors",
    "with_zero_terms",
]


@dataclass(frozen=True, kw_only=True)
class ProductBlocks:
    """Blocks of a product by the shifts of the accumulators behind them, in order, and the weight words that they take,
    of shape (column groups, words, columns * lanes)."""

    by_order: Mapping[int, list[BlockPlan]]
    words: NDArray[np.uint8]


def moves(segment: HeldSegment, layouts: Mapping[str, TensorLayout]) -> bool:
    """Whether every pixel has weights of its own: only one is computed at a time then."""
    held = layouts[segment.held]
    return segment.depthwise and (held.height, held.width) != (1, 1)


def walked_tensors(layer: MacLayer, layouts: Mapping[str, TensorLayout]) -> tuple[str, ...]:
    """Held tensors whose words go with the pixels, as those of the sources do."""
    return tuple(segment.held for segment in layer.products if moves(segment, layouts))


def fixed_pitch(layer: MacLayer, layouts: Mapping[str, TensorLayout]) -> int | None:
    """Words between the channel groups of the elementwise weights that stand for all pixels: 0 if there are none, None
    if tensors do not agree."""
    fixed = [s for s in layer.products if s.depthwise and not moves(s, layouts)]
    pitches = {layouts[segment.held].group_pitch for segment in fixed} or {0}
    return pitches.pop() if len(pitches) == 1 else None


def with_zero_terms(layer: MacLayer, tensors: Mapping[str, QuantisedTensor]) -> tuple[Segment, ...]:
    """Segments of a layer, and behind each product whose weights' zero level Z is not 0 its source times -Z."""
    segments: list[Segment] = []
    for segment in layer.segments:
        segments.append(segment)
        if isinstance(segment, HeldSegment) and (zero := tensors[segment.held].zero):
            weights = np.full(segment.weights.shape, -zero, dtype=np.int64)
            segments.append(Segment(source=segment.source, weights=weights, depthwise=segment.depthwise))
    return tuple(segments)


def refuse_products(layer: MacLayer) -> None:
    """Refuse products of tensors, which are not yet cut into bands.

    Raises
    ------
    CapacityError
        If the layer has one.
    """
    if layer.products:
        raise CapacityError(
            f'layer {layer.name!r} multiplies two tensors, which a core with backing = "axi4" cannot yet: '
            'use backing = "none"'
        )


def product_steps(
    segment: HeldSegment, layouts: Mapping[str, TensorLayout], config: AcceleratorConfig, *, strip: bool
) -> int:
    """Steps of a tile for a product, but for those of zero levels, if every pair of digits latches anew."""
    x, held = layouts[segment.source], layouts[segment.held]
    latches = 1 if segment.depthwise else latch_steps(config)
    return _groups(x, config, strip=strip) * x.planes * held.planes * (latches + 1)


def plan_product(
    segment: HeldSegment,
    graph: QuantisedGraph,
    layouts: Mapping[str, TensorLayout],
    config: AcceleratorConfig,
    *,
    strip: bool,
    start: int,
) -> ProductBlocks:
    """Blocks of a product whose weight words lie from ``start`` on; ``strip`` if a tile reads its own channels only."""
    x, held = layouts[segment.source], layouts[segment.held]
    groups = _groups(x, config, strip=strip)
    masks = _masks(segment, config, groups)
    words, place = np.unique(masks, axis=1, return_inverse=True)
    zeros = np.zeros((len(masks), 1, masks.shape[2]), dtype=np.uint8)
    # (x - Z) * w: what is taken away has digits of its own, which multiply the same words
    away = config.digits.to_planes(-graph.tensors[segment.source].zero, x.planes)
    by_order: dict[int, list[BlockPlan]] = {}
    for weight_digit, digit in _digit_pairs(held.planes, x.planes):
        blocks = by_order.setdefault(weight_digit + digit, [])
        for group in range(groups):
            blocks.append(_latch(segment, layouts, config, group, weight_digit, start))
            mask = start + 1 + int(place.ravel()[group])
            base = x.base + digit * x.plane_pitch + group * x.group_pitch
            blocks.append(BlockPlan(base=base, taps=(Tap(0),), weight_base=mask, held=1))
            if away[digit]:
                code = int(away[digit])
                blocks.append(BlockPlan(taps=(Tap(0),), weight_base=mask, held=1, constant=1, pad_code=code))
    return ProductBlocks(by_order=by_order, words=np.concatenate([zeros, words], axis=1))


def latched_once(blocks: Iterable[BlockPlan]) -> list[BlockPlan]:
    """Blocks of a tile without those that latch what is held already."""
    kept: list[BlockPlan] = []
    word, shift = None, 0
    for block in blocks:
        if block.latch:
            read = block.base, block.taps, block.fixed, block.alike
            if read == word:
                shift |= block.shift
                continue
            word = read
        kept.append(replace(block, shift=block.shift | shift))
        shift = 0
    return kept


def _digit_pairs(weight_planes: int, planes: int) -> Iterator[tuple[int, int]]:
    """Digits of held words and of those that they multiply, by what both weigh together, the heaviest pairs first.

    Of equal ones those come first that hold what the pair before held, and last one that the lighter ones can hold on.
    """
    held = None
    for order in range(weight_planes + planes - 2, -1, -1):
        digits = [digit for digit in range(weight_planes) if 0 <= order - digit < planes]
        lighter = range(max(0, order - planes), min(weight_planes, order))
        digits.sort(key=lambda digit: (digit != held, digit in lighter))
        held = digits[-1]
        yield from ((digit, order - digit) for digit in digits)


def _groups(x: TensorLayout, config: AcceleratorConfig, *, strip: bool) -> int:
    """Channel groups that a tile reads."""
    groups = -(-x.channels // config.lanes)
    return min(groups, channel_span(config) // config.lanes) if strip else groups


def _masks(segment: HeldSegment, config: AcceleratorConfig, groups: int) -> NDArray[np.uint8]:
    """Ones where lanes meet columns, of shape (column groups, channel groups, columns * lanes)."""
    one = np.uint8(config.weight_digits.base.encode(1))
    if segment.depthwise:
        codes = np.full((segment.weights.shape[0], 1), one)
        return diagonal_words(codes, config, groups=groups, span=groups * config.lanes)[:, :, 0]
    return dense_words(np.full((*segment.weights.shape[:2], 1), one), config)[:, :, 0]


def _latch(
    segment: HeldSegment,
    layouts: Mapping[str, TensorLayout],
    config: AcceleratorConfig,
    group: int,
    digit: int,
    zeros: int,
) -> BlockPlan:
    """The block that latches a channel group's words of one digit, and adds nothing."""
    held = layouts[segment.held]
    count = latched_rows(config)
    before = (config.columns - steps * count for steps in range(latch_steps(config), 0, -1))
    return BlockPlan(
        base=held.base + digit * held.plane_pitch + group * held.group_pitch,
        taps=(Tap(0),) if segment.depthwise else tuple(Tap(offset) for offset in before),
        weight_base=zeros,
        hold=1,
        latch=1,
        alike=int(segment.depthwise),
        fixed=int(not moves(segment, layouts)),
    )
