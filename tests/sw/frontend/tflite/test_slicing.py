"""Slices with every mask, against numpy's own indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrows.sw.frontend.tflite.slicing import slices_of

X = np.arange(2 * 3 * 4).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("options", "begin", "end", "stride", "expected"),
    [
        ({}, [0, 1, 0], [2, 3, 4], [1, 1, 2], X[0:2, 1:3, 0:4:2]),
        ({"ShrinkAxisMask": 0b010}, [0, 2, 1], [2, 3, 3], [1, 1, 1], X[0:2, 2, 1:3]),
        ({"BeginMask": 0b001, "EndMask": 0b100}, [1, 0, 1], [2, 2, 2], [1, 1, 1], X[:2, 0:2, 1:]),
        ({"EllipsisMask": 0b01}, [0, 3], [0, 4], [1, 1], X[..., 3:4]),
        ({"NewAxisMask": 0b01}, [0, 1], [0, 2], [1, 1], X[np.newaxis, 1:2]),
        ({"Offset": True}, [0, 1, 1], [1, 2, 3], [1, 1, 1], X[0:1, 1:3, 1:4]),
    ],
)
def test_masks_are_numpys_indices(
    options: dict[str, Any], begin: list[int], end: list[int], stride: list[int], expected: Any
) -> None:
    found = X[slices_of(options, X.ndim, *(np.array(each) for each in (begin, end, stride)))]
    assert found.shape == expected.shape and found.tolist() == expected.tolist()


@pytest.mark.parametrize(("count", "step"), [(4, 1), (3, 0)])
def test_more_indices_than_axes_and_strides_of_0_are_refused(count: int, step: int) -> None:
    with pytest.raises(ValueError, match="more indices than axes, or a stride of 0"):
        slices_of({}, 3, *(np.full(count, each) for each in (0, 1, step)))
