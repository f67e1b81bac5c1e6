"""Every warning where it belongs, in one line, and none where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit, Int
from narrows.sw.graph import Graph
from narrows.sw.grids import Grid
from narrows.sw.layers import Affine, Quantise
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec, MaxLayer, QuantisedGraph, QuantisedTensor
from narrows.sw.quantize import suspicions

RNG = np.random.default_rng(41)
PIXELS = RNG.integers(0, 256, (40, 2, 3, 3))
SPEC = InputSpec(tensor="x", shape=(2, 3, 3))


def graph(*layers: object) -> Graph:
    shapes = {"x": (2, 3, 3), "y": (2, 3, 3)}
    return Graph(name="m", tensors=shapes, input=SPEC, layers=layers, outputs=(Output.whole("y", (2, 3, 3)),))


def scaling(gain: float, shift: float = 0.0) -> Affine:
    return Affine(name="a", source="x", scale=np.full(2, gain), bias=np.full(2, shift), output="y")


def quantiser(scale: float, zero: int) -> Quantise:
    return Quantise(name="q", source="x", grid=Grid(scale=scale, zero=zero, low=-128, high=127), output="y")


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros((40, 2, 3, 3)), "the 40 calibration samples are constant: "),
        (np.repeat(PIXELS[:1], 40, axis=0), "the 40 calibration samples are all the same: "),
        (PIXELS[:15], "only 15 calibration samples: "),
    ],
)
def test_constant_and_few_samples(samples: np.ndarray, says: str) -> None:
    (line,) = suspicions.of_samples(graph(), samples)
    assert line.startswith(says)


@pytest.mark.parametrize("first", [scaling(1 / 255), scaling(1 / 128, -1.0), quantiser(1.0, -128)])
def test_samples_of_another_scale_than_the_model_seems_to_expect(first: object) -> None:
    assert suspicions.of_samples(graph(first), PIXELS) == []
    (line,) = suspicions.of_samples(graph(first), PIXELS / 255)
    assert line.startswith("calibration samples are 0 to 1, the model seems to expect values up to about ")
    assert line.endswith(": scale them as those that it was trained on")


def test_a_model_that_says_nothing_of_its_input_takes_any_scale() -> None:
    for first in ((), (scaling(0.5),), (quantiser(1 / 255, -128),)):
        assert suspicions.of_samples(graph(*first), PIXELS / 255) == []


def tensor(name: str, channels: int = 2, low: int = 0, high: int = 255, **fields: object) -> QuantisedTensor:
    values = {"format": Int(8, signed=False), "scale": 1.0, "zero": 0} | fields
    return QuantisedTensor(name=name, shape=(channels, 3, 3), low=low, high=high, **values)


def pooled(**fields: object) -> QuantisedGraph:
    layer = MaxLayer(name="pool", source="x", kernel=(1, 1), stride=(1, 1), pads=(0, 0, 0, 0), output="y")
    tensors = {"x": tensor("x", 4), "y": tensor("y", 4, **fields)}
    outputs = (Output.whole("y", (4, 3, 3)),)
    return QuantisedGraph(name="m", tensors=tensors, input=SPEC, layers=(layer,), outputs=outputs)


def test_channels_that_say_nothing() -> None:
    floats = RNG.normal(size=(5, 4, 3, 3))
    levels = np.rint(floats * 50).astype(int)
    assert suspicions.of_channels(pooled(), {"y": floats}, {"y": levels}) == []
    small = levels.copy()
    small[:, 1] = 0
    (line,) = suspicions.of_channels(pooled(), {"y": floats}, {"y": small})
    assert line.startswith("1 of 4 channels that layer 'pool' writes vanish in its integers")
    assert "--equalise" in line
    (line,) = suspicions.of_channels(pooled(), {"y": np.where(small == 0, 0.0, floats)}, {"y": small})
    assert line.startswith("1 of 4 channels that layer 'pool' writes never change on these samples")


def test_values_that_held_samples_clamp() -> None:
    calibration = {"y": RNG.integers(0, 255, (5, 4, 3, 3))}
    beyond = np.where(RNG.random((5, 4, 3, 3)) < 0.2, 255, calibration["y"])
    assert suspicions.of_clamps(pooled(), calibration, calibration) == []
    (line,) = suspicions.of_clamps(pooled(), calibration, {"y": beyond})
    assert line == (
        f"{(beyond == 255).mean():.1%} of the values that layer 'pool' writes are clamped on held samples, 0.0% on "
        "calibration samples: calibrate on more varied ones"
    )
    assert suspicions.of_clamps(pooled(), {"y": beyond}, {"y": beyond}) == []
    rectified = {"y": np.zeros((5, 4, 3, 3), dtype=int)}  # the zero level is no clamp
    assert suspicions.of_clamps(pooled(), calibration, rectified) == []


@pytest.mark.parametrize(("snr", "bits", "said"), [(19.9, 8, 1), (20.1, 8, 0), (5.9, 4, 1), (6.1, 4, 0), (None, 8, 0)])
def test_results_that_are_noise(snr: float | None, bits: int, said: int) -> None:
    fields = {} if bits == 8 else {"format": DyBit(4), "low": -4, "high": 16}
    lines = suspicions.of_quality(pooled(**fields), {"outputs": [{"name": "y", "snr_db": snr}]})
    assert len(lines) == said
    assert all(line.startswith(f"output 'y' has only {snr:.1f} dB of signal over noise: ") for line in lines)


def test_labels_that_fit_badly() -> None:
    outputs = (Output.whole("y", (5,)),)
    labels = RNG.integers(0, 5, 60)
    scores = np.eye(5)[labels]
    assert suspicions.of_labels(outputs, scores, labels) == []
    (line,) = suspicions.of_labels(outputs, scores, np.minimum(labels + 1, 4))
    assert line.endswith("of their neighbours: subtract 1 from y?")
    (line,) = suspicions.of_labels(outputs, scores, np.maximum(labels - 1, 0))
    assert line.endswith("of their neighbours: add 1 to y?")
    (line,) = suspicions.of_labels(outputs, np.eye(5)[(labels + 2) % 5], labels)
    assert line.startswith("the float model names 0% of the labels, no better than chance: ")
    assert suspicions.of_labels(outputs, scores[:15], (labels[:15] + 2) % 5) == []
