"""View: how an ONNX value of any shape and axis order shows the elements of a (C, H, W) tensor."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["View", "input_permutation"]


@dataclass(frozen=True)
class View:
    """An ONNX value (batch axis of 1 included) as elements of tensor ``tensor``.

    ``index`` has the value's shape and holds, for each element, its flat position in the (C, H, W) tensor. Reshape,
    transpose, squeeze and flatten are numpy's own on ``index``, so every axis order is right by construction.
    """

    tensor: str
    index: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the ONNX value."""
        return self.index.shape

    def is_chw(self) -> bool:
        """Whether the value is the tensor itself in (1, C, H, W) order, possibly with fewer axes of 1."""
        return bool(np.array_equal(self.index.ravel(), np.arange(self.index.size)))

    def pixels_of_channels(self, axes: tuple[int, ...], pixels: int) -> NDArray[np.int64] | None:
        """Channel of each group of elements along ``axes``, if each is all ``pixels`` pixels of one channel, once."""
        moved = np.moveaxis(self.index, axes, range(-len(axes), 0))
        groups = np.sort(moved.reshape(*moved.shape[: moved.ndim - len(axes)], -1), axis=-1)
        if groups.shape[-1] != pixels or (groups[..., :1] % pixels).any() or (np.diff(groups, axis=-1) != 1).any():
            return None
        return groups[..., 0] // pixels


def input_permutation(shape: tuple[int, ...], index: NDArray[np.int64]) -> tuple[int, ...] | None:
    """Axis order that brings a sample of ``shape`` into the order of ``index`` (flat positions in the sample).

    Returns ``()`` where no transposition is needed, None where none helps.
    """
    flat = index.ravel()
    sample = np.arange(flat.size).reshape(shape)
    for permutation in itertools.permutations(range(len(shape))):
        if np.array_equal(sample.transpose(permutation).ravel(), flat):
            return () if permutation == tuple(range(len(shape))) else permutation
    return None
