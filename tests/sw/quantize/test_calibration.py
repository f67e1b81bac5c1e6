"""Samples that are no numbers, of another shape, or not finite are refused in one line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from narrows.sw.errors import InputError
from narrows.sw.quantize.calibration import checked_samples

GRAPH: Any = SimpleNamespace(input=SimpleNamespace(shape=(1, 2, 2)))


@pytest.mark.parametrize("kind", [np.float32, np.int8, np.uint16])
def test_numbers_are_taken(kind: type) -> None:
    samples = np.ones((3, 1, 2, 2), kind)
    assert checked_samples(GRAPH, samples) is samples


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.full((1, 1, 2, 2), "a"), "data must be numbers, not <U1: give an array of real numbers"),
        (np.ones((1, 1, 2, 2), complex), "data must be numbers, not complex128: give an array of real numbers"),
        (np.ones((1, 1, 2, 2), bool), "data must be numbers, not bool: give an array of real numbers"),
        (np.ones((1, 2, 2)), "data must have shape (samples, 1, 2, 2), not (1, 2, 2)"),
        (np.ones((0, 1, 2, 2)), "data must have shape (samples, 1, 2, 2), not (0, 1, 2, 2)"),
        (np.full((1, 1, 2, 2), np.inf), "data hold NaN or infinity: remove those samples"),
    ],
)
def test_anything_else_is_refused(samples: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_samples(GRAPH, samples, "data")
    assert str(caught.value) == said
