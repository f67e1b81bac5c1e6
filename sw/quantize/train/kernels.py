"""Sums to levels and back to gradients: the two passes over activations that training spends its time in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....hw.spec.rounding import Octave
from .rounding import nearest_of_halves

__all__ = ["RoundTo", "round_exactly", "round_sums"]


@dataclass(frozen=True, kw_only=True)
class RoundTo:
    """What sums are rounded to: `Format.octaves` and both ends of a format, in levels."""

    octaves: tuple[Octave, ...]
    bottom: int
    top: int
    compiled: bool = False


def round_sums(
    sums: Tensor, bias: Tensor, gain: Tensor, zero: Tensor, low: Tensor, high: Tensor, to: RoundTo
) -> Tensor:
    """Offsets ``clamp(nearest level to (sums + bias) * gain + zero, low, high) - zero``, differentiable.

    One rounding, of ``floor(2 * (sums + bias) * gain)`` as in hardware, so that nothing else has to be exact but the
    product. Inside the clamp the gradient is that of the real value; outside it only ``zero`` and, through it, the
    clamp's ends move the result (LSQ+, arXiv 2004.09576; adaptive scale and shift, arXiv 2107.08382): the gradient of
    ``zero`` is -1 for each value that is clamped to a fixed end, and 0 for one clamped to ``zero`` itself.

    Parameters
    ----------
    sums : Tensor, shape (N, O, H, W)
    bias, gain : Tensor, shape (O,)
    zero, low, high : Tensor, shape ()
        Levels; of the three only ``zero`` has a gradient.
    to : RoundTo

    Returns
    -------
    Tensor, of shape and type of ``sums``
    """
    return _RoundSums.apply(sums, bias, gain, zero, low, high, to)  # type: ignore[no-any-return]


def round_exactly(
    sums: Tensor, bias: Tensor, multiplicand: Tensor, shift: Tensor, zero: int, low: int, high: int, to: RoundTo
) -> Tensor:
    """The same in int64, whatever the widths: offsets from ``zero`` of int64 sums, for evaluation."""
    bias, multiplicand, shift = (part.reshape(1, -1, 1, 1) for part in (bias, multiplicand, shift))
    value = (sums + bias) * multiplicand
    reach = 1 << 40  # far beyond every level, and doubles without overflow
    halves = (value >> (shift - 1).clamp(min=0)).clamp(-reach, reach) * torch.where(shift == 0, 2, 1) + 2 * zero
    levels = nearest_of_halves(halves.double(), to.octaves, to.bottom, to.top)
    return levels.clamp(low, high).long() - zero


def _forward(
    sums: Tensor,
    bias: Tensor,
    gain: Tensor,
    zero: Tensor,
    low: Tensor,
    high: Tensor,
    octaves: tuple[Octave, ...],
    ends: tuple[float, float],
) -> Tensor:
    wide = sums if sums.dtype == torch.float64 else sums.float()
    halves = torch.floor((wide + bias) * (2 * gain)) + 2 * zero
    levels = nearest_of_halves(halves, octaves, *ends)
    return (torch.minimum(torch.maximum(levels, low), high) - zero).to(sums.dtype)


def _backward(
    grads: Tensor, sums: Tensor, bias: Tensor, gain: Tensor, zero: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    wide = sums if sums.dtype == torch.float64 else sums.float()
    biased, gradient = wide + bias, grads.to(wide.dtype)
    value = biased * gain + zero
    passed = torch.where((value >= low) & (value <= high), gradient, 0.0)
    fixed = torch.where((value > high) & (high != zero) | (value < low) & (low != zero), gradient, 0.0)
    axes = (0, 2, 3)
    return (passed * gain).to(sums.dtype), passed.sum(axes), (passed * biased).sum(axes), -fixed.sum()


@functools.cache
def _kernels(compiled: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    if not compiled:
        return _forward, _backward
    return torch.compile(_forward, dynamic=True), torch.compile(_backward, dynamic=True)


class _RoundSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, sums: Tensor, bias: Tensor, gain: Tensor, zero: Tensor, low: Tensor, high: Tensor, to: RoundTo
    ) -> Tensor:
        kind = torch.float64 if sums.dtype == torch.float64 else torch.float32
        channels = bias.to(kind).reshape(1, -1, 1, 1), gain.to(kind).reshape(1, -1, 1, 1)
        scalars = zero.to(kind), low.to(kind), high.to(kind)
        ctx.save_for_backward(sums, *channels, *scalars)
        ctx.compiled, ctx.types = to.compiled, (bias.dtype, gain.dtype, zero.dtype)
        return _kernels(to.compiled)[0](sums, *channels, *scalars, to.octaves, (float(to.bottom), float(to.top)))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        sums, bias, gain, *scalars = ctx.saved_tensors
        to_sums, passed, weighted, to_zero = _kernels(ctx.compiled)[1](grads[0], sums, bias, gain, *scalars)
        kinds = ctx.types
        return (
            to_sums,
            (passed * gain.reshape(-1)).to(kinds[0]),
            weighted.to(kinds[1]),
            to_zero.to(kinds[2]),
            None,
            None,
            None,
        )
