"""Activation functions on tensors: the operators of `sw.curves` in torch, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ...curves import Function

__all__ = ["OPERATORS", "function"]


def _clip(x: Tensor, low: float, high: float) -> Tensor:
    return torch.clamp(x, low, high)


def _quantise(x: Tensor, scale: float, zero: float, low: float, high: float) -> Tensor:
    return (torch.round(torch.clamp(x / scale + zero, low, high)) - zero) * scale


OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "clip": _clip,
    "pow": lambda a, b: a**b,
    "abs": torch.abs,
    "exp": torch.exp,
    "erf": torch.erf,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "elu": functional.elu,
    "quantise": _quantise,
    "thresholdedrelu": lambda x, alpha: torch.where(x > alpha, x, torch.zeros_like(x)),
}
"""Operators by the names of `sw.curves.OPERATORS`."""


def function(curve: Function, x: Tensor) -> Tensor:
    """The function of each value, any shape."""
    if curve.operator == "x":
        return x
    operands = (function(each, x) if isinstance(each, Function) else each for each in curve.operands)
    return OPERATORS[curve.operator](*operands)
