"""Gains of a few bits in every forward pass (rescale-aware training, arXiv 2510.11484)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....hw.spec.config import AcceleratorConfig
from .rounding import straight_through

__all__ = ["RESCALING", "Gain", "gains", "narrow"]

RESCALING = ("free", "narrow", "absorbed")
"""Gains as they are; rounded to k bits; rounded, and the weights' scale with them, so that nothing is lost."""


def narrow(gain: Tensor, bits: int, shift_max: int) -> tuple[Tensor, Tensor]:
    """Multiplicand and shift of each gain: ``m`` of ``bits`` bits, its top bit set, and ``s``: nearest ``m / 2**s``.

    Parameters
    ----------
    gain : Tensor of float64, any shape
        Positive.
    bits, shift_max : int
        Widths of the rescaler. Gains beyond what it holds become the nearest one that it does hold.

    Returns
    -------
    multiplicand, shift : Tensor of int64
    """
    fraction, exponent = torch.frexp(gain)
    multiplicand = torch.floor(fraction * 2.0**bits + 0.5).long()
    full = multiplicand == 1 << bits
    multiplicand = torch.where(full, 1 << (bits - 1), multiplicand)
    shift = bits - (exponent.long() + full.long())
    multiplicand = torch.where(shift > shift_max, 1 << (bits - 1), multiplicand)
    multiplicand = torch.where(shift < 0, (1 << bits) - 1, multiplicand)
    return multiplicand, shift.clamp(0, shift_max)


@dataclass(frozen=True)
class Gain:
    """Gain of a layer's channels: ``real`` (differentiable) is ``multiplicand / 2**shift`` unless rescaling is free.

    ``unit`` is what one unit of the accumulator stands for, in real values: the scale that weights are rounded on.
    """

    real: Tensor
    unit: Tensor
    multiplicand: Tensor
    shift: Tensor


def gains(unit: Tensor, output_scale: Tensor, config: AcceleratorConfig, rescaling: str) -> Gain:
    """Gain of each channel, ``unit / output_scale``, as one of `RESCALING` has it.

    Narrow gains have the gradient of real ones. A multiplicand and a shift are there in any case: what the program will
    have.
    """
    real = unit / output_scale
    multiplicand, shift = narrow(real.detach(), config.rescale_bits, config.shift_max)
    if rescaling == "free":
        return Gain(real, unit, multiplicand, shift)
    exact = multiplicand.double() * torch.exp2(-shift.double())
    narrowed = straight_through(exact, real)
    if rescaling == "absorbed":
        unit = straight_through(exact * output_scale.detach(), unit)
    return Gain(narrowed, unit, multiplicand, shift)
