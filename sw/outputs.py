"""Output: what the model gives under one name, as elements of a tensor and what the host computes of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .heads import HostFunction

__all__ = ["Output", "given_outputs", "output_tensors"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """An output of the model.

    Parameters
    ----------
    name : str
        The model's.
    tensor : str
        The tensor whose elements it shows; several outputs may show one.
    shape : tuple of int
        In which its elements enter the head, without batch; without a head the output's own.
    order : array of int64, shape (elements,), or None
        Flat position in the tensor of each element; None: all of them, in the tensor's own order.
    head : tuple of HostFunction
        What the host computes of the elements, one function after the other.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    order: NDArray[np.int64] | None = None
    head: tuple[HostFunction, ...] = ()

    @classmethod
    def whole(cls, tensor: str, shape: tuple[int, ...]) -> Output:
        """A tensor as it is, under its own name."""
        return cls(name=tensor, tensor=tensor, shape=shape)

    def elements(self, values: ArrayLike) -> NDArray[Any]:
        """Values of the tensor, of shape (N, C, H, W), as (N, *shape): what the head reads."""
        values = np.asarray(values)
        flat = values.reshape(len(values), -1)
        return (flat if self.order is None else flat[:, self.order]).reshape(len(values), *self.shape)

    def given(self, values: ArrayLike) -> NDArray[Any]:
        """What the model gives for real values of the tensor, of shape (N, C, H, W): (N, *given_shape).

        float64, but for heads that end in indices, codes or truths.
        """
        result = self.elements(values).astype(np.float64)
        for function in self.head:
            result = function(result)
        return result

    @functools.cached_property
    def given_shape(self) -> tuple[int, ...]:
        """Shape of what the model gives, without batch."""
        result = np.zeros((1, *self.shape))
        for function in self.head:
            result = function(result)
        return result.shape[1:]

    def answers(self, values: ArrayLike, *, raw: bool = False) -> NDArray[np.int64]:
        """The class that each sample's output names, of shape (N,).

        An integer for a sample is the class itself. One number for a sample is class 1 from the middle on: 0.5 behind
        a Sigmoid, else 0. Of several numbers it is the place of the largest.

        Parameters
        ----------
        values : array, shape (N, ...)
            What :meth:`given` gives; what :meth:`elements` gives if ``raw``.
        """
        values = np.asarray(values)
        flat = values.reshape(len(values), -1)
        if flat.shape[1] > 1:
            return flat.argmax(axis=1)
        if values.dtype.kind in "iub":
            return flat[:, 0].astype(np.int64)
        squashed = not raw and any(function.operator == "Sigmoid" for function in self.head)
        return (flat[:, 0] > (0.5 if squashed else 0.0)).astype(np.int64)


def output_tensors(outputs: Sequence[Output]) -> tuple[str, ...]:
    """Tensors that outputs show, each once, in the outputs' order."""
    return tuple(dict.fromkeys(output.tensor for output in outputs))


def given_outputs(outputs: Sequence[Output], tensors: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """What the model gives by the names of its outputs, for real values of tensors of shape (N, C, H, W)."""
    return {output.name: output.given(tensors[output.tensor]) for output in outputs}
