"""Windows of layers that are read from files: as many as the output has pixels."""

from __future__ import annotations

import dataclasses

import pytest
from narrows.hw.spec.formats import Int
from narrows.sw.integer.checks import need, need_window
from narrows.sw.quantised import MaxLayer, QuantisedTensor

POOL = MaxLayer(name="pool", source="x", output="y", kernel=(3, 2), stride=(2, 2), pads=(1, 0, 1, 0))
X = QuantisedTensor(name="x", shape=(1, 5, 6), format=Int(4), scale=1.0, zero=0, low=-7, high=7)
Y = dataclasses.replace(X, name="y", shape=(1, 3, 3))


def test_what_does_not_hold_is_said() -> None:
    need(True, "nothing")
    with pytest.raises(ValueError, match=r"^it is wrong$"):
        need(False, "it is wrong")


@pytest.mark.parametrize(
    ("changes", "shape", "what"),
    [
        ({}, (1, 3, 4), r"does not give the shape \(1, 3, 4\)"),
        ({"stride": (0, 2)}, Y.shape, r"has a window of kernel \(3, 2\), stride \(0, 2\), dilation \(1, 1\)"),
        ({"pads": (1 << 28, 0, 0, 0)}, Y.shape, r"has the pads \(268435456, 0, 0, 0\)"),
        ({"kernel": (9, 2)}, Y.shape, r"does not give the shape \(1, 3, 3\)"),
    ],
)
def test_windows_give_the_output(changes: dict, shape: tuple[int, int, int], what: str) -> None:
    need_window(X, Y, POOL, "it")
    with pytest.raises(ValueError, match=f"^it {what}$"):
        need_window(X, dataclasses.replace(Y, shape=shape), dataclasses.replace(POOL, **changes), "it")
