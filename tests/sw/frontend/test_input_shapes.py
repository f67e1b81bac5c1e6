"""Axes that a file leaves open, fixed by whoever reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from narrows.sw.errors import InputError
from narrows.sw.frontend import load_model
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """A convolution over images of any size."""
    weights = np.random.default_rng(5).normal(size=(4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1], strides=[2, 2])],
        "dynamic",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "height", None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=[numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_sizes_fix_open_axes(dynamic: Path) -> None:
    graph = load_model(dynamic, {"x": (1, 3, 10, 14)})
    assert graph.input.shape == (3, 10, 14)
    assert graph.tensors[graph.layers[-1].output] == (4, 5, 7)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"y": (1, 3, 4, 4)}, "the model has no input 'y': its inputs are 'x'"),
        ({"x": (3, 4, 4)}, "input 'x' is nx3xheightx\\? in the file, not 3x4x4: give the sizes of its open axes"),
        ({"x": (1, 4, 4, 4)}, "input 'x' is nx3xheightx\\? in the file, not 1x4x4x4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(dynamic: Path, shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(dynamic, shapes)
