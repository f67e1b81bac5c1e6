"""A step held to what float rounding allows, on values of onnxruntime's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from narrows.sw.frontend import import_model
from narrows.sw.passes import lower
from narrows.sw.reference.walk import walk
from onnx import helper

RNG = np.random.default_rng(17)
WEIGHTS = RNG.normal(0, 0.4, (4, 3, 3, 3)).astype(np.float32)
SAMPLE = RNG.normal(size=(1, 3, 9, 8)).astype(np.float32)


@pytest.fixture
def step(onnx_model):
    """What one convolution gives here and there, on weights and samples of some size; ``change`` is added there."""

    def run(weights: float, samples: float, change: float = 0.0):
        nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "tiny", pads=[1, 1, 1, 1])]
        path: Path = onnx_model(nodes, (1, 3, 9, 8), {"w": np.float32(weights) * WEIGHTS})
        x = np.float32(samples) * SAMPLE
        [given] = onnxruntime.InferenceSession(path.read_bytes()).run(None, {"x": x})
        graph = lower(import_model(path).graph)
        name = graph.outputs[0].tensor
        return walk(graph, x, {name: np.ma.array(given.astype(np.float64) + change)})[0]

    return run


@pytest.mark.parametrize(("weights", "samples"), [(1.0, 1.0), (1e-19, 1e-19), (1e-21, 1e-20), (1e-21, 1e-22)])
def test_float32_is_right_however_small_its_numbers_are(step, weights: float, samples: float) -> None:
    """PP-OCR's recogniser has channels of 1e-41, which float32 holds to four digits."""
    assert step(weights, samples) is None


@pytest.mark.parametrize(
    ("weights", "samples", "change"), [(1.0, 1.0, 1e-3), (1e-19, 1e-19, 1e-41), (1e-21, 1e-20, 1e-42)]
)
def test_and_wrong_where_they_are_off_by_more(step, weights: float, samples: float, change: float) -> None:
    suspect = step(weights, samples, change)
    assert suspect is not None and suspect.theirs - suspect.ours == pytest.approx(change, rel=0.1)
