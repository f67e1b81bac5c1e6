"""Slices of TFLite models, whose begin and size are constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tflite
from narrows.sw.errors import ModelError
from narrows.sw.frontend import load_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from tflite_builder import Op, Tensor, tflite_bytes

FLOAT, INT, KIND = tflite.TensorType.FLOAT32, tflite.TensorType.INT32, tflite.BuiltinOperator


@pytest.mark.parametrize(
    ("begin", "size", "shape"),
    [([0, 1, 0, 0], [1, 2, -1, 1], (1, 2, 4, 1)), ([0, 0, 2, 1], [1, -1, 2, 2], (1, 4, 2, 2))],
)
def test_a_slice_begins_where_it_says_and_reaches_to_the_end_for_minus_one(
    begin: list[int], size: list[int], shape: tuple[int, ...], tmp_path: Path
) -> None:
    tensors = [
        Tensor(name="x", shape=(1, 4, 4, 3), kind=FLOAT),
        Tensor(name="begin", shape=(4,), data=np.array(begin, np.int32), kind=INT),
        Tensor(name="size", shape=(4,), data=np.array(size, np.int32), kind=INT),
        Tensor(name="part", shape=shape, kind=FLOAT),
        Tensor(name="y", shape=shape, kind=FLOAT),
    ]
    ops = [Op(kind=KIND.SLICE, inputs=(0, 1, 2), output=3), Op(kind=KIND.RELU, inputs=(3,), output=4)]
    path = tmp_path / "slice.tflite"
    path.write_bytes(tflite_bytes(tensors, ops, [0], [4]))
    x = np.random.default_rng(1).normal(size=(2, 4, 4, 3)).astype(np.float32)
    graph = lower(load_model(path))
    [found] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    ends = [None if count < 0 else first + count for first, count in zip(begin, size, strict=True)]
    part = x[:, *(slice(first, end) for first, end in zip(begin[1:], ends[1:], strict=True))]
    np.testing.assert_array_equal(found, np.maximum(part, 0))


@pytest.mark.parametrize(("scale", "zero"), [([-1.0], [0]), ([float("nan")], [0]), ([1.0, 1.0, 1.0], [0, 0])])
def test_scales_and_zero_points_that_make_no_sense_are_refused(
    scale: list[float], zero: list[int], tmp_path: Path
) -> None:
    tensors = [
        Tensor(name="x", shape=(1, 2, 2, 3), scale=scale, zero=zero, axis=3),
        Tensor(name="y", shape=(1, 2, 2, 3), scale=[1.0], zero=[0]),
    ]
    path = tmp_path / "scales.tflite"
    path.write_bytes(tflite_bytes(tensors, [Op(kind=KIND.RELU, inputs=(0,), output=1)], [0], [1]))
    with pytest.raises(ModelError, match=r"it is damaged \(ValueError\)"):
        load_model(path)
