"""Tensors in training: learned scales and zero levels, and the clamps that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...quantised import QuantisedTensor
from .kernels import RoundTo
from .rounding import nearest, straight_through

__all__ = ["Clamped", "TrainedTensor"]


@dataclass(frozen=True)
class Clamped:
    """A tensor as one forward pass has it: ``scale`` and ``zero`` with gradients; ``low``, ``high`` as levels."""

    scale: Tensor
    zero: Tensor
    low: Tensor
    high: Tensor

    @property
    def span(self) -> tuple[int, int]:
        """Range of levels that consumers may assume (docs/numerics.md, section 2)."""
        zero, low, high = (int(part.detach()) for part in (self.zero, self.low, self.high))
        return min(0, zero, low), max(0, zero, high)


class TrainedTensor(nn.Module):
    """Scale and zero level of a tensor, learned from the task's loss.

    The scale is learned as octaves from ``start``, the zero level as a real number that is snapped to the nearest level
    of the format whenever it is used (adaptive scale and shift, arXiv 2107.08382).

    Parameters
    ----------
    start : QuantisedTensor
        As post-training quantisation chose it.
    low, high : float
        Clamp of the layer that writes it, in real values; infinite: the ends of the format.
    fixed : bool
        Keep the scale: the tensor's levels mean something beyond this network.
    ends : bool
        Keep the clamp's levels as ``start`` has them (outputs of tables, and network inputs).
    """

    def __init__(
        self, start: QuantisedTensor, low: float, high: float, *, fixed: bool = False, ends: bool = False
    ) -> None:
        super().__init__()
        self.start, self.bounds, self.ends = start, (low, high), ends
        self.octaves = nn.Parameter(torch.zeros(()), requires_grad=not fixed)
        self.shift = nn.Parameter(torch.tensor(float(start.zero)), requires_grad=False)

    def learn_shift(self, learn: bool) -> None:
        """Let the zero level be learned, or keep it where it is from now on."""
        if not learn:
            self.shift.data.copy_(self._snapped())
        self.shift.requires_grad_(learn)

    def _snapped(self) -> Tensor:
        return nearest(self.shift.detach().double(), self.start.format)

    def clamped(self) -> Clamped:
        """Scale, zero level and clamp, all of float64 and shape ()."""
        scale = self.start.scale * torch.exp2(self.octaves.double())
        shift = self.shift.double()
        zero = straight_through(self._snapped(), shift)
        if self.ends:
            low, high = float(self.start.low), float(self.start.high)
        else:
            real = np.array(self.bounds) / float(scale.detach()) + float(zero.detach())
            low, high = (float(level) for level in self.start.format.quantise(real))
        return Clamped(scale, zero, zero.new_tensor(low), zero.new_tensor(high))

    def rounding(self, compiled: bool) -> RoundTo:
        """How sums become levels of it."""
        fmt = self.start.format
        return RoundTo(octaves=fmt.octaves, bottom=fmt.bottom, top=fmt.top, compiled=compiled)

    def quantised(self) -> QuantisedTensor:
        """The tensor as it is now."""
        now = self.clamped()
        low, high, zero = (int(part.detach()) for part in (now.low, now.high, now.zero))
        return replace(self.start, scale=float(now.scale.detach()), zero=zero, low=low, high=high)
