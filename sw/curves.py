"""Functions of one variable, as trees of named operators: what activation functions are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["OPERATORS", "X", "Function"]

_TINY = 1e-30
"""What is nearer to 0 counts as this: quantised arguments meet poles that the model's own never do."""

_erf = np.frompyfunc(math.erf, 1, 1)


def _sigmoid(x: NDArray) -> NDArray:
    return (np.tanh(x / 2) + 1) / 2


def _elu(x: NDArray, alpha: float) -> NDArray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _quantise(x: NDArray, scale: float, zero: float, low: float, high: float) -> NDArray:
    return (np.rint(np.clip(x / scale + zero, low, high)) - zero) * scale


def _pow(x: NDArray, exponent: float) -> NDArray:
    if float(exponent).is_integer() and exponent >= 0:
        return np.power(x, exponent)
    base = np.abs(x) if float(exponent).is_integer() else np.maximum(x, 0)
    sign = np.where((x < 0) & (exponent % 2 == 1), -1.0, 1.0)
    return sign * np.power(np.maximum(base, _TINY) if exponent < 0 else base, exponent)


def _div(x: NDArray, y: NDArray) -> NDArray:
    return x / np.where(np.abs(y) < _TINY, np.where(np.signbit(y), -_TINY, _TINY), y)


OPERATORS: Mapping[str, Callable[..., NDArray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "clip": np.clip,
    "div": _div,
    "pow": _pow,
    "abs": np.abs,
    "exp": np.exp,
    "log": lambda x: np.log(np.maximum(x, _TINY)),
    "sqrt": lambda x: np.sqrt(np.maximum(x, 0)),
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "sign": np.sign,
    "erf": lambda x: np.asarray(_erf(x), dtype=np.float64),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "elu": _elu,
    "quantise": _quantise,
    "thresholdedrelu": lambda x, alpha: np.where(x > alpha, x, 0),
}
"""Operators by name; operands are arrays or numbers. Definitions are those of the ONNX operators of these names, where
those are finite: beyond, values are those of the nearest argument."""

_INCREASING = frozenset(
    {"tanh", "sigmoid", "erf", "exp", "log", "sqrt", "softplus", "softsign", "floor", "ceil", "round", "sign"}
)


@dataclass(frozen=True)
class Function:
    """An operator of `OPERATORS` applied to functions of one variable and to constants; operator ``x`` is the variable.

    Two functions are equal if they are written alike.

    Raises
    ------
    ValueError
        If there is no such operator.
    """

    operator: str
    operands: tuple[Function | float, ...] = ()

    def __post_init__(self) -> None:
        if self.operator != "x" and self.operator not in OPERATORS:
            raise ValueError(f"unknown operator {self.operator!r}: the operators are {', '.join(OPERATORS)}")

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """The function of each value, any shape."""
        values = np.asarray(values, dtype=np.float64)
        if self.operator == "x":
            return values
        operands = (each(values) if isinstance(each, Function) else each for each in self.operands)
        with np.errstate(over="ignore"):  # as in every other implementation, what is too large is infinite
            return OPERATORS[self.operator](*operands)

    def of(self, inner: Function) -> Function:
        """This function of another one's value."""
        if self.operator == "x":
            return inner
        operands = (each.of(inner) if isinstance(each, Function) else each for each in self.operands)
        return Function(self.operator, tuple(operands))

    @property
    def without_affine(self) -> tuple[Function, float, float]:
        """A function of which this one is ``gain * function + offset``, with as few operators as go; gain, offset.

        The gain is above 0, so that a grid of the function's values is one of this one's, with another step.
        """
        core, gain, offset = self, 1.0, 0.0
        while (peeled := _peeled(core)) is not None:
            core, factor, more = peeled
            gain, offset = gain * factor, offset + gain * more
        if gain < 0:
            core, gain = Function("mul", (core, -1.0)), -gain
        return core, gain, offset

    @property
    def is_increasing(self) -> bool:
        """Whether it certainly never falls, so that maxima may be taken before or after it."""
        return self.operator in _INCREASING and self.operands == (X,)

    def to_plain(self) -> list[Any]:
        """The tree as nested lists of names and numbers."""
        return [self.operator, *(each.to_plain() if isinstance(each, Function) else each for each in self.operands)]

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> Function:
        """The function again; the inverse of :meth:`to_plain`."""
        operator, *operands = plain
        return cls(operator, tuple(cls.from_plain(x) if isinstance(x, (list, tuple)) else float(x) for x in operands))

    def __str__(self) -> str:
        if self.operator == "x":
            return "x"
        return f"{self.operator}({', '.join(str(each) for each in self.operands)})"


X = Function("x")
"""The variable itself."""


def _peeled(function: Function) -> tuple[Function, float, float] | None:
    """What a sum with or a product by a number is made of: operand, factor, summand; None of any other function."""
    match function.operator, function.operands:
        case "add", (Function() as inner, float() as number) | (float() as number, Function() as inner):
            return inner, 1.0, number
        case "sub", (Function() as inner, float() as number):
            return inner, 1.0, -number
        case "sub", (float() as number, Function() as inner):
            return inner, -1.0, number
        case "mul", (Function() as inner, float() as number) | (float() as number, Function() as inner) if number:
            return inner, number, 0.0
        case "div", (Function() as inner, float() as number) if abs(number) >= _TINY:
            return inner, 1 / number, 0.0
    return None
