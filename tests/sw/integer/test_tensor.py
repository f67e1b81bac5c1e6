"""Tensors of levels: what a consumer may assume."""

from __future__ import annotations

from narrows.hw.spec.formats import DyBit, Int
from narrows.sw.quantised import QuantisedTensor


def test_the_span_holds_zero_the_zero_level_and_the_clamp() -> None:
    tensor = QuantisedTensor(name="x", shape=(1, 1, 1), format=Int(4), scale=1.0, zero=-3, low=2, high=5)
    assert tensor.span == (-3, 5)
    assert tensor.levels.tolist() == list(range(-3, 6))


def test_levels_are_those_of_the_format() -> None:
    fmt = DyBit(4)
    tensor = QuantisedTensor(name="x", shape=(1, 1, 1), format=fmt, scale=1.0, zero=0, low=0, high=fmt.top)
    assert tensor.levels.tolist() == [level for level in fmt.levels.tolist() if level >= 0]
