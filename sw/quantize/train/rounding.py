"""Rounding to the levels of a format in closed form, on tensors, with straight-through gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....hw.spec.formats import Format
from ....hw.spec.rounding import Octave

__all__ = ["StraightThrough", "nearest", "nearest_of_halves", "straight_through", "toward_zero"]


def _steps(magnitude: Tensor, octaves: tuple[Octave, ...], factor: float) -> Tensor:
    steps = torch.ones_like(magnitude)
    for start, step in octaves:
        steps = torch.where(magnitude >= start * factor, float(step), steps)
    return steps


def nearest_of_halves(halves: Tensor, octaves: tuple[Octave, ...], bottom: float, top: float) -> Tensor:
    """Nearest level to x, ties upwards, from ``floor(2 * x)``: exact in any float type that holds that integer.

    Parameters
    ----------
    halves : Tensor
        Integers of a float type, any shape.
    octaves : tuple
        `Format.octaves`.
    bottom, top : float
        Ends of the format.
    """
    magnitude = torch.where(halves < 0, -1 - halves, halves).clamp(max=4 * max(top, -bottom))
    steps = _steps(magnitude, octaves, 2.0)
    rounded = torch.floor((torch.floor(magnitude / steps) + 1) / 2) * steps
    return torch.where(halves < 0, -rounded, rounded).clamp(bottom, top)


def nearest(values: Tensor, fmt: Format) -> Tensor:
    """Nearest level of each value, ties upwards, clamped at both ends: what `Format.quantise` gives, as floats."""
    return nearest_of_halves(torch.floor(2 * values), fmt.octaves, fmt.bottom, fmt.top)


def toward_zero(values: Tensor, fmt: Format) -> Tensor:
    """The level of next smaller magnitude, clamped at both ends (unsigned: negative values give 0)."""
    magnitude = values.abs().clamp(max=2.0 * fmt.top)
    steps = _steps(magnitude, fmt.octaves, 1.0)
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
