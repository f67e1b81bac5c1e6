"""Element-wise TFLite operators whose constants are integers with a scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tflite
from narrows.sw.frontend import load_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from tflite_builder import Op, Tensor, tflite_bytes


def test_slopes_of_a_prelu_are_scale_times_distance_from_zero(tmp_path: Path) -> None:
    slopes = np.array([[[3, 2]]], np.int8)
    tensors = [
        Tensor(name="x", shape=(1, 1, 1, 2), scale=[0.25], zero=[0]),
        Tensor(name="slopes", shape=(1, 1, 2), data=slopes, scale=[0.25], zero=[1]),
        Tensor(name="y", shape=(1, 1, 1, 2), scale=[2**-5], zero=[0]),
    ]
    path = tmp_path / "prelu.tflite"
    path.write_bytes(tflite_bytes(tensors, [Op(kind=tflite.BuiltinOperator.PRELU, inputs=(0, 1), output=2)], [0], [2]))
    x = np.array([[-2.0, -2.0], [-1.0, -0.5], [1.5, 0.25]], np.float32).reshape(3, 2, 1, 1)
    graph = lower(load_model(path))
    [found] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    assert found.reshape(3, 2).tolist() == [[-1.0, -0.5], [-0.5, -0.125], [1.5, 0.25]]
