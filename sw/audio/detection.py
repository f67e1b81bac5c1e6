"""heard: when a wake word was heard, from a model's probabilities frame by frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

__all__ = ["MEAN_OF", "heard"]

MEAN_OF = 5
"""Frames whose mean decides, as the models of the package ``pymicro-wakeword`` ask for."""


def heard(probabilities: ArrayLike, cutoff: float, mean_of: int = MEAN_OF) -> NDArray[np.bool_]:
    """At which frames the mean of the last ``mean_of`` probabilities is above ``cutoff``; shape (N,).

    Before so many have come it is at none: the rule of ``pymicro-wakeword``.

    Raises
    ------
    InputError
        If there is not one probability a frame, or ``mean_of`` is not positive.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim == 0 or values.size != len(values):
        raise InputError(f"a wake word is heard by one probability a frame, not by values of shape {values.shape[1:]}")
    if mean_of < 1:
        raise InputError(f"the mean of {mean_of} frames decides nothing: give 1 or more")
    row = values.ravel().tolist()
    return np.array(
        [n >= mean_of and math.fsum(row[n - mean_of : n]) / mean_of > cutoff for n in range(1, len(row) + 1)],
        dtype=np.bool_,
    )
