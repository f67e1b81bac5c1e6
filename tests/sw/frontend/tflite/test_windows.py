"""Padding by axis as padding of an image."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.frontend.tflite.windows import image_pads


@pytest.mark.parametrize(
    ("amounts", "pads"),
    [
        ([[0, 0], [1, 2], [3, 4], [0, 0]], [1, 3, 2, 4]),
        ([[0, 0], [0, 0], [0, 0], [0, 0]], [0, 0, 0, 0]),
        ([[1, 0], [1, 2], [3, 4], [0, 0]], None),
        ([[0, 0], [1, 2], [3, 4], [0, 1]], None),
        ([[0, 0], [-1, 2], [3, 4], [0, 0]], None),
        ([[0, 0], [1, 2], [0, 0]], None),
    ],
)
def test_only_lines_and_columns_are_padded(amounts: list[list[int]], pads: list[int] | None) -> None:
    assert image_pads(np.array(amounts)) == pads
