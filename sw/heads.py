"""HostFunction: what the host computes of an output behind the last layer, in numpy and in real values.

One entry of `HOST_FUNCTIONS` is one function; `frontend/op_head.py` says which operators become it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .curves import Function

__all__ = ["ARITHMETIC", "HOST_FUNCTIONS", "REDUCTIONS", "HostFunction"]

ARITHMETIC: Mapping[str, Callable[[NDArray, NDArray], NDArray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
    "greater": np.greater,
    "greater_or_equal": np.greater_equal,
    "less": np.less,
    "less_or_equal": np.less_equal,
    "equal": np.equal,
}
"""What a constant operand does to every element it meets."""

REDUCTIONS: Mapping[str, Callable[..., NDArray]] = {
    "max": np.max,
    "min": np.min,
    "mean": np.mean,
    "sum": np.sum,
    "prod": np.prod,
    "l1": lambda values, **how: np.abs(values).sum(**how),
    "l2": lambda values, **how: np.sqrt(np.square(values).sum(**how)),
    "sum_square": lambda values, **how: np.square(values).sum(**how),
    "log_sum_exp": lambda values, **how: np.logaddexp.reduce(values, **how),
}
"""What becomes of all elements along some axes."""


def _curve(values: NDArray, function: list[Any]) -> NDArray:
    return Function.from_plain(function)(values)


def _log_softmax(values: NDArray, axes: list[int]) -> NDArray:
    shifted = values - values.max(axis=tuple(axes), keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=tuple(axes), keepdims=True))


def _softmax(values: NDArray, axes: list[int]) -> NDArray:
    powers = np.exp(values - values.max(axis=tuple(axes), keepdims=True))
    return powers / powers.sum(axis=tuple(axes), keepdims=True)


def _arg(values: NDArray, extreme: str, axis: int, keep: bool, last: bool) -> NDArray[np.int64]:
    find = {"max": np.argmax, "min": np.argmin}[extreme]
    if last:
        return values.shape[axis] - 1 - find(np.flip(values, axis), axis=axis, keepdims=keep)
    return find(values, axis=axis, keepdims=keep)


def _top(values: NDArray, what: str, k: int, axis: int, largest: bool) -> NDArray:
    order = np.argsort(-values if largest else values, axis=axis, kind="stable")  # of equal ones the first comes first
    chosen = np.take(order, np.arange(k), axis=axis)
    return chosen if what == "indices" else np.take_along_axis(values, chosen, axis=axis)


def _normalise(values: NDArray, axis: int, order: int) -> NDArray:
    norm = np.linalg.norm(values, ord=order, axis=axis, keepdims=True)
    return values / np.where(norm == 0, 1, norm)


def _arithmetic(values: NDArray, operator: str, operand: Any, reverse: bool) -> NDArray:
    constant = np.asarray(operand)
    first, second = (constant, values) if reverse else (values, constant)
    with np.errstate(divide="ignore", invalid="ignore"):  # as in every other implementation
        return ARITHMETIC[operator](first, second)


def _combined(values: NDArray, operator: str, first: list[Any], second: list[Any]) -> NDArray:
    one, other = (_applied(values, functions) for functions in (first, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        return ARITHMETIC[operator](one, other)


def _applied(values: NDArray, functions: list[Any]) -> NDArray:
    for function in functions:
        values = HostFunction(**function)(values)
    return values


def _expand(values: NDArray, shape: list[int]) -> NDArray:
    return np.broadcast_to(values, (len(values), *shape))


def _reduce(values: NDArray, operator: str, axes: list[int], keep: bool) -> NDArray:
    return REDUCTIONS[operator](values, axis=tuple(axes), keepdims=keep)


def _rearrange(values: NDArray, shape: list[int], order: list[int] | None) -> NDArray:
    flat = values.reshape(len(values), -1)
    return (flat if order is None else flat[:, order]).reshape(len(values), *shape)


def _cast(values: NDArray, type: str) -> NDArray:
    return values.astype(np.dtype(type))


def _codes(values: NDArray, scale: float, zero: int, type: str) -> NDArray:
    limits = np.iinfo(np.dtype(type))
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(limits.dtype)


HOST_FUNCTIONS: Mapping[str, Callable[..., NDArray]] = {
    "curve": _curve,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "arg": _arg,
    "top": _top,
    "normalise": _normalise,
    "arithmetic": _arithmetic,
    "combined": _combined,
    "expand": _expand,
    "reduce": _reduce,
    "rearrange": _rearrange,
    "cast": _cast,
    "codes": _codes,
}
"""Functions by kind: of values of shape (N, ...) and the attributes of a `HostFunction`.

Axes count from the batch, which is axis 0 and never among them. ``softmax`` and ``log_softmax`` take all ``axes``
together, ``arg`` gives indices of the largest or smallest element, of several equal ones the first or the ``last``;
``top`` the ``k`` largest or smallest in their order, or their indices. ``combined`` joins what two heads, as plain
`HostFunction` parameters, make of the same values; both have as many axes.
``rearrange`` gives a sample its ``shape`` after taking its elements at the flat positions ``order`` (None: all, as they
are). ``codes`` are the integers of a quantiser: ``round(x / scale) + zero`` in an integer type, ties to even.
"""


@dataclass(frozen=True, kw_only=True)
class HostFunction:
    """One function of `HOST_FUNCTIONS` with its attributes.

    Parameters
    ----------
    kind : str
    attributes : dict
        Values of JSON alone: numbers, strings, booleans, None, lists of them.
    operator, node : str
        The operator of the model that it comes from, and its node, as reports name them.

    Raises
    ------
    ValueError
        If there is no such function.
    """

    kind: str
    attributes: dict[str, Any] = field(default_factory=dict)
    operator: str = ""
    node: str = ""

    def __post_init__(self) -> None:
        if self.kind not in HOST_FUNCTIONS:
            raise ValueError(f"unknown function of the host {self.kind!r}: there are {', '.join(HOST_FUNCTIONS)}")

    def to_plain(self) -> dict[str, Any]:
        """The function's parameters, as JSON holds them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """The function of values of shape (N, ...), in float64; indices, codes and truths in types of their own."""
        return HOST_FUNCTIONS[self.kind](values, **self.attributes)
