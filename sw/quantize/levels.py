"""Levels of real values and of final sums, in the narrowest type that holds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.exact import Drain
from ..quantised import QuantisedTensor

__all__ = ["drained_levels", "level_type", "nearest_levels"]

_AT_ONCE = 1 << 22
"""Sums that become levels at once."""


def nearest_levels(tensor: QuantisedTensor, values: NDArray) -> NDArray[np.int64]:
    """Levels of real values, any shape."""
    return np.clip(tensor.format.quantise(values / tensor.scale + tensor.zero), tensor.low, tensor.high)


def level_type(tensor: QuantisedTensor) -> type[np.signedinteger]:
    """Narrowest type of a tensor's levels."""
    return np.int8 if max(-tensor.format.bottom, tensor.format.top) < 128 else np.int16


def drained_levels(
    drain: Drain, sums: NDArray[np.floating], dtype: type[np.signedinteger]
) -> NDArray[np.signedinteger]:
    """Levels (O, N, oH, oW) of final sums."""
    levels = np.empty(sums.shape, dtype)
    step = max(1, _AT_ONCE // max(1, sums[:, 0].size))
    for first in range(0, sums.shape[1], step):
        part = slice(first, first + step)
        levels[:, part] = drain(sums[:, part])
    return levels
