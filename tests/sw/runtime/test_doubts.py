"""A line where samples are of another scale than a program's input, and none where they are not."""

from __future__ import annotations

import numpy as np
from narrows.hw.spec.formats import Int
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec, QuantisedGraph, QuantisedTensor
from narrows.sw.runtime import input_doubts, prepare_input

PIXELS = np.random.default_rng(41).integers(0, 256, (40, 2, 3, 3))
SHAPE = (2, 3, 3)
INPUT = QuantisedTensor(name="x", shape=SHAPE, low=0, high=255, format=Int(8, signed=False), scale=1.0, zero=0)
GRAPH = QuantisedGraph(
    name="m",
    tensors={"x": INPUT},
    input=InputSpec(tensor="x", shape=SHAPE),
    layers=(),
    outputs=(Output.whole("x", SHAPE),),
)


def doubts(x: np.ndarray) -> list[str]:
    return input_doubts(GRAPH, prepare_input(GRAPH, x), x)


def test_samples_of_another_scale_than_a_program_was_calibrated_on() -> None:
    assert doubts(PIXELS) == []
    (line,) = doubts(PIXELS / 255)
    assert line == "samples are 0 to 1, the program's input 0 to 255: are they scaled as the calibration samples?"
    (line,) = doubts(PIXELS * 4)
    assert "of the values are clamped, scale them as the calibration samples" in line


def test_one_value_of_a_hundred_may_be_clamped() -> None:
    x = np.tile(np.arange(0, 252, 14, dtype=float).reshape(1, 2, 3, 3), (50, 1, 1, 1))
    x.flat[:9] = 300
    assert doubts(x) == []
    x.flat[9] = 300
    assert "1.1% of the values are clamped" in doubts(x)[0]
