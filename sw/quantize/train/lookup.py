"""Activation functions that are looked up: tables of levels whose entries have gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from ....hw.spec.tables import TABLE_TOP
from ...curves import Function
from ...quantised import LevelTable
from ..lookup import level_table
from .functions import function
from .rounding import straight_through
from .tensor import Clamped, TrainedTensor

__all__ = ["look_up"]


def look_up(
    curve: Function, offsets: Tensor, drained: Clamped, integers: TrainedTensor, now: Clamped, output: TrainedTensor
) -> tuple[Tensor, Clamped, LevelTable]:
    """Offsets of a function's levels, for offsets of integers that sums were rounded to.

    The levels are those that the program's table will hold. Their gradients are those of the function's real values:
    to both tensors' scales and zero levels, and by its slope to the integers.

    Parameters
    ----------
    curve : Function
    offsets : Tensor, shape (N, C, H, W)
        Of the integers.
    drained, integers : Clamped, TrainedTensor
        The integers as they are in this pass, and what they are learned by.
    now, output : Clamped, TrainedTensor
        The same of the output.

    Returns
    -------
    offsets : Tensor, of shape and type of ``offsets``
    clamped : Clamped
        The output with the levels that the table holds as its clamp.
    table : LevelTable
    """
    table = level_table(curve, integers.quantised(), output.quantised(), None)
    used = table.levels[drained.low.long() + TABLE_TOP : drained.high.long() + TABLE_TOP + 1]
    low, high = now.low.new_tensor(float(used.min())), now.high.new_tensor(float(used.max()))
    numbers = torch.arange(-TABLE_TOP, TABLE_TOP + 1).double()
    with torch.enable_grad():
        x = (drained.scale * (numbers - drained.zero)).requires_grad_()
        values = function(curve, x)
        (slopes,) = torch.autograd.grad(values.sum(), x, retain_graph=True)
    levels = values / now.scale + now.zero
    inside = (levels >= now.low) & (levels <= now.high)
    clamped = levels.clamp(float(now.low), float(now.high))
    hard = torch.tensor(table.levels).double()
    entries = straight_through(hard, clamped) - now.zero
    steps = torch.where(inside, slopes * drained.scale / now.scale, 0.0).detach()
    index = offsets.detach().long() + (int(drained.zero) + TABLE_TOP)
    kind = offsets.dtype
    moved = steps.to(kind)[index] * (offsets - offsets.detach())  # nothing, with a gradient
    return entries.to(kind)[index] + moved, Clamped(now.scale, now.zero, low, high), table
