"""Calibration samples: whether they fit the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..graph import Graph

__all__ = ["checked_samples"]


def checked_samples(graph: Graph, calibration: NDArray, what: str = "calibration data") -> NDArray:
    """Calibration samples, or ``what`` they are, as an array of shape (N, *input shape), N > 0, of finite real numbers.

    Raises
    ------
    InputError
        If they are anything else.
    """
    samples = np.asarray(calibration)
    expected = graph.input.shape
    if samples.dtype.kind not in "fiu":
        raise InputError(f"{what} must be numbers, not {samples.dtype}: give an array of real numbers")
    if samples.ndim != len(expected) + 1 or samples.shape[1:] != expected or not len(samples):
        wanted = ", ".join(map(str, ("samples", *expected)))
        raise InputError(f"{what} must have shape ({wanted}), not {samples.shape}")
    if not np.isfinite(samples).all():
        raise InputError(f"{what} hold NaN or infinity: remove those samples")
    return samples
