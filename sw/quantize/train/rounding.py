"""Rounding to the levels of a format in closed form, on tensors, with straight-through gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....hw.spec.formats import Format

__all__ = ["StraightThrough", "nearest", "nearest_of_halves", "octaves", "straight_through", "toward_zero"]


def octaves(fmt: Format) -> tuple[tuple[int, int], ...]:
    """Where levels get sparser: pairs of (twice the magnitude from which on, distance of levels there).

    Below the first of them levels are one apart. DyBit doubles its magnitudes' distance twice an octave from
    ``2**(w - 1)`` on, ``w`` its magnitude bits (docs/numerics.md, section 1); integers have no such place.
    """
    if fmt.kind != "dybit":
        return ()
    width = fmt.magnitude_bits
    return tuple((1 << (width + octave), 1 << (1 + 2 * octave)) for octave in range(width - 1))


def _steps(magnitude: Tensor, places: tuple[tuple[int, int], ...], factor: float) -> Tensor:
    steps = torch.ones_like(magnitude)
    for start, step in places:
        steps = torch.where(magnitude >= start * factor, float(step), steps)
    return steps


def nearest_of_halves(halves: Tensor, places: tuple[tuple[int, int], ...], bottom: float, top: float) -> Tensor:
    """Nearest level to x, ties upwards, from ``floor(2 * x)``: exact in any float type that holds that integer.

    Parameters
    ----------
    halves : Tensor
        Integers of a float type, any shape.
    places : tuple
        `octaves` of the format.
    bottom, top : float
        Ends of the format.
    """
    magnitude = torch.where(halves < 0, -1 - halves, halves).clamp(max=4 * max(top, -bottom))
    steps = _steps(magnitude, places, 1.0)
    rounded = torch.floor((torch.floor(magnitude / steps) + 1) / 2) * steps
    return torch.where(halves < 0, -rounded, rounded).clamp(bottom, top)


def nearest(values: Tensor, fmt: Format) -> Tensor:
    """Nearest level of each value, ties upwards, clamped at both ends: what `Format.quantise` gives, as floats."""
    return nearest_of_halves(torch.floor(2 * values), octaves(fmt), fmt.bottom, fmt.top)


def toward_zero(values: Tensor, fmt: Format) -> Tensor:
    """The level of next smaller magnitude, clamped at both ends (unsigned: negative values give 0)."""
    magnitude = values.abs().clamp(max=2.0 * fmt.top)
    steps = _steps(magnitude, octaves(fmt), 0.5)
    rounded = torch.floor(magnitude / steps) * steps
    return torch.where(values < 0, -rounded, rounded).clamp(fmt.bottom, fmt.top)


class StraightThrough(torch.autograd.Function):
    """The first argument's value with the second one's gradient; not their difference added, which would round."""

    @staticmethod
    def forward(ctx: Any, hard: Tensor, soft: Tensor) -> Tensor:
        """Value of ``hard``."""
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        """Gradient to ``soft``."""
        return None, grads[0]


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """``hard``, differentiated as if it were ``soft``; both of one shape and type."""
    return StraightThrough.apply(hard, soft)  # type: ignore[no-any-return]
