"""Outputs that keep trained integers: steps of the sums, times a power of two where the values need it."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Int
from narrows.sw.layers import Mac, Term
from narrows.sw.quantised import QuantisedTensor
from narrows.sw.quantize.outputs import kept_output, widest_integers
from narrows.sw.windows import Window

UNIT = 0.25 * 0.5
TOP = widest_integers(AcceleratorConfig()).top


@pytest.mark.parametrize(
    ("largest", "factor"), [(0.0, 1), (UNIT, 1), (UNIT * TOP / 1.25, 1), (UNIT * TOP, 2), (UNIT * TOP * 7, 16)]
)
def test_the_step_is_that_of_the_sums_or_a_power_of_two_of_it(largest: float, factor: int) -> None:
    term = Term(source="x", weights=np.ones((2, 1, 1, 1)), window=Window(kernel=(1, 1)), step=np.array([0.5, 0.5]))
    layer = Mac(name="m", output="y", terms=(term,), bias=np.zeros(2))
    source = QuantisedTensor(name="x", shape=(1, 1, 1), format=Int(4), scale=0.25, zero=0, low=-8, high=7)
    choice = kept_output(layer, {"x": source}, np.array([-largest, 0.0]), AcceleratorConfig())
    assert (choice.scale, choice.zero) == (UNIT * factor, 0)
