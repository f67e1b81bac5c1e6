"""The built-in example: a small residual CNN trained on 8x8 digits, with its images, as package data."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Digits", "digits", "digits_model"]


@dataclass(frozen=True)
class Digits:
    """Images of the example, uint8 of shape (N, 1, 8, 8) with values 0..16, and digits 0..9 of shape (N,).

    Calibration images are a part of the training set; the test images were held out of it.
    """

    calib_x: NDArray[np.uint8]
    test_x: NDArray[np.uint8]
    test_y: NDArray[np.uint8]


def digits() -> Digits:
    """Calibration and test images (scikit-learn's ``load_digits``)."""
    with resources.as_file(resources.files(__name__) / "digits.npz") as path, np.load(path) as data:
        return Digits(data["calib_x"], data["test_x"], data["test_y"])


def digits_model() -> AbstractContextManager[Path]:
    """Path of the float ONNX model, for the length of a ``with`` block."""
    return resources.as_file(resources.files(__name__) / "digits.onnx")
