"""Weights whose sums fit an accumulator by construction: A2Q, A2Q+ and the certificate itself, on rows of weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....hw.spec.formats import Format
from .rounding import nearest, straight_through, toward_zero

__all__ = ["Room", "Spans", "centred", "fitted", "norm", "normalised", "project"]


_SHRINKINGS = 4
"""Tries to shrink a row no more than it takes."""


@dataclass(frozen=True)
class Spans:
    """What each of K weights is multiplied by: levels from ``low`` (K,) to ``high`` (K,); ``low <= 0 <= high``."""

    low: Tensor
    high: Tensor

    def sides(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Largest sum, and absolute value of the smallest one, of rows of weights (O, K); each of shape (O,)."""
        positive, negative = rows.clamp(min=0), (-rows).clamp(min=0)
        return positive @ self.high - negative @ self.low, negative @ self.high - positive @ self.low


@dataclass(frozen=True)
class Room:
    """What is left for learned weights: the largest sum, and the smallest one's absolute value; each (O,)."""

    high: Tensor
    low: Tensor

    @property
    def least(self) -> Tensor:
        """What holds on either side."""
        return torch.minimum(self.high, self.low)


def norm(rows: Tensor, spans: Spans, *, zero_centred: bool) -> Tensor:
    """Weighted l1 norm (O,) of rows (O, K): no sum of such weights, rounded toward zero, is larger.

    A2Q (arXiv 2308.13504) weighs with ``max(|low|, |high|)``. A2Q+ (arXiv 2401.10432), for rows whose sums are zero
    within each span, with ``(high - low) / 2``. With one span for all, ``norm <= 2**(P - 1) - 1`` is their bound.
    """
    reach = (spans.high - spans.low) / 2 if zero_centred else torch.maximum(-spans.low, spans.high)
    return rows.abs() @ reach


def centred(rows: Tensor, groups: Tensor) -> Tensor:
    """Rows (O, K) less their means, taken over the columns of each group; ``groups`` (K,) numbers them from 0."""
    members = torch.nn.functional.one_hot(groups).to(rows.dtype)
    means = rows @ members / members.sum(0)
    return rows - means @ members.T


def project(rows: Tensor, weights: Tensor, radius: Tensor) -> Tensor:
    """Nearest rows (O, K) with ``sum of weights * |row| <= radius`` (O,): soft thresholds (A2Q+, section 4).

    Parameters
    ----------
    rows : Tensor, shape (O, K)
    weights : Tensor, shape (K,)
        Positive; all alike: the plain l1 ball.
    radius : Tensor, shape (O,)
    """
    magnitude = rows.abs()
    inside = magnitude @ weights <= radius
    ratio, order = torch.sort(magnitude / weights, dim=1, descending=True)
    sorted_weights = weights[order]
    products = torch.cumsum(sorted_weights * magnitude.gather(1, order), dim=1)
    squares = torch.cumsum(sorted_weights.square(), dim=1)
    last = (ratio * squares > products - radius[:, None]).sum(1).clamp(min=1) - 1
    theta = (products.gather(1, last[:, None])[:, 0] - radius) / squares.gather(1, last[:, None])[:, 0]
    shrunk = (magnitude - theta[:, None] * weights).clamp(min=0) * rows.sign()
    return torch.where(inside[:, None], rows, shrunk)


def normalised(
    rows: Tensor, lengths: Tensor, groups: Tensor, spans: Spans, room: Room, fmt: Format, *, zero_centred: bool
) -> tuple[Tensor, Tensor]:
    """Weight levels of A2Q or A2Q+, and what each row's length exceeds the room by.

    Directions are of ``rows`` (centred for A2Q+), norms are ``min(lengths, room)``; rounding is toward zero.

    Parameters
    ----------
    rows : Tensor, shape (O, K)
        In levels.
    lengths : Tensor, shape (O,)
        Learned norms, in units of the accumulator.
    groups : Tensor, shape (K,)
        Which columns are centred together.

    Returns
    -------
    levels : Tensor, shape (O, K)
    excess : Tensor, shape (O,)
        ``max(length - room, 0)``, what the penalty is made of.
    """
    if zero_centred:
        rows = centred(rows, groups)
    limit = room.least.clamp(min=0)
    scale = torch.minimum(lengths, limit) / norm(rows, spans, zero_centred=zero_centred).clamp(min=1e-12)
    # A part in 2**40 less than the bound: a float64 quotient must not round up to it.
    wanted = (rows * (scale * (1 - 2.0**-40))[:, None]).clamp(fmt.bottom, fmt.top)
    return straight_through(toward_zero(wanted.detach(), fmt), wanted), (lengths - limit).clamp(min=0)


def fitted(rows: Tensor, spans: Spans, room: Room, fmt: Format) -> Tensor:
    """Weight levels (O, K) nearest to ``rows``, as far as their certificate holds.

    All weights are rounded to the nearest level. In rows whose sums could be too large, those that lose least by it are
    rounded toward zero instead, as few as need to (in the spirit of AXE, arXiv 2409.17092); rows that would still be
    too large are shrunk first.
    """
    wanted = rows.clamp(fmt.bottom, fmt.top)
    levels = nearest(wanted.detach(), fmt)
    most, least = spans.sides(levels)
    over = ((most > room.high) | (least > room.low)).nonzero()[:, 0]
    if not len(over):
        return straight_through(levels, wanted)
    part = Room(room.high[over], room.low[over])
    fraction = _fractions(wanted.detach()[over], spans, part, fmt)
    levels[over] = _given_way(wanted.detach()[over] * fraction[:, None], spans, part, fmt)
    factor = torch.ones(len(rows), dtype=rows.dtype).index_copy(0, over, fraction)
    return straight_through(levels, wanted * factor[:, None])


def _fractions(rows: Tensor, spans: Spans, room: Room, fmt: Format) -> Tensor:
    """What rows are multiplied by, (O,), so that they fit when all of their weights are rounded toward zero."""

    def fitting(values: Tensor) -> Tensor:
        high, low = spans.sides(values)
        parts = room.high.clamp(min=0) / high.clamp(min=1e-12), room.low.clamp(min=0) / low.clamp(min=1e-12)
        return torch.minimum(*parts).clamp(max=1.0)

    fraction = torch.ones(len(rows), dtype=rows.dtype)
    for _ in range(_SHRINKINGS):
        fraction = fraction * fitting(toward_zero(rows * fraction[:, None], fmt))
    # Whatever is not there yet is bounded before it is rounded; 2**-40 for what the quotient's own rounding may add.
    bounded = fitting(rows) * (1 - 2.0**-40)
    fits = fitting(toward_zero(rows * fraction[:, None], fmt)) == 1
    return torch.where(fits, fraction, torch.minimum(fraction, bounded))


def _given_way(wanted: Tensor, spans: Spans, room: Room, fmt: Format) -> Tensor:
    levels, smaller = nearest(wanted, fmt), toward_zero(wanted, fmt)
    cost = (wanted - smaller).square() - (wanted - levels).square()
    saved = levels - smaller
    gain = saved.abs() * (spans.high - spans.low)
    order = torch.argsort(torch.where(gain > 0, cost / gain.clamp(min=1e-12), torch.inf), dim=1, stable=True)
    high_saved = saved.clamp(min=0) * spans.high - (-saved).clamp(min=0) * spans.low
    low_saved = (-saved).clamp(min=0) * spans.high - saved.clamp(min=0) * spans.low
    most, least = spans.sides(levels)
    still = (most[:, None] - torch.cumsum(high_saved.gather(1, order), 1) > room.high[:, None]) | (
        least[:, None] - torch.cumsum(low_saved.gather(1, order), 1) > room.low[:, None]
    )
    fits = (most <= room.high) & (least <= room.low)
    count = torch.where(fits, 0, still.sum(1) + 1)  # sums only fall along the order
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
    return torch.where(ranks < count[:, None], smaller, levels)
