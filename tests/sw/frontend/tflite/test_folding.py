"""What operators make of constants."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from narrows.sw.frontend.tflite.folding import FOLDED

X = np.arange(6).reshape(2, 3)


@pytest.mark.parametrize(
    ("kind", "operands", "expected"),
    [
        ("EXPAND_DIMS", [X, np.array([1])], X[:, np.newaxis]),
        ("EXPAND_DIMS", [X, np.array(0)], X[np.newaxis]),
        ("TRANSPOSE", [X, np.array([1, 0])], X.T),
        ("SLICE", [X, np.array([0, 1]), np.array([1, -1])], X[:1, 1:]),
        ("FILL", [np.array([2, 1]), np.array(7)], np.full((2, 1), 7)),
        ("RESHAPE", [X, np.array([3, -1])], X.reshape(3, 2)),
        ("FLOOR_DIV", [X - 3, np.array(2)], (X - 3) // 2),
    ],
)
def test_constants_are_folded_as_numpy_does(kind: str, operands: list[Any], expected: Any) -> None:
    found = FOLDED[kind]({}, [SimpleNamespace(data=each) for each in operands])  # type: ignore[list-item]
    assert found.shape == expected.shape and found.tolist() == expected.tolist()
