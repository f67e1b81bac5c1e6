"""The window of a streaming graph: what one frame answers behind all it depends on, the whole answers at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from campaign.samples import features
from campaign.windows import windowed
from narrows.sw.frontend import import_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(43)
FRAME, KEPT, LATER = 2, 3, 4


def stacked(path: Path) -> Path:
    """Two convolutions over lines: of three kept and two new ones, and of four kept results and a new one."""
    node = helper.make_node
    nodes = [
        node("Concat", ["lines", "x"], ["window"], axis=2),
        node("Slice", ["window", "two", "five", "axis"], ["lines_next"]),
        node("Conv", ["window", "w"], ["sums"]),
        node("Relu", ["sums"], ["r"]),
        node("Concat", ["results", "r"], ["later"], axis=2),
        node("Slice", ["later", "one", "five", "axis"], ["results_next"]),
        node("Conv", ["later", "v"], ["y"]),
    ]
    constants = {
        "w": RNG.normal(size=(4, 3, FRAME + KEPT, 1)).astype(np.float32),
        "v": RNG.normal(size=(2, 4, LATER + 1, 1)).astype(np.float32),
        **{name: np.array([value]) for name, value in (("one", 1), ("two", 2), ("five", 5), ("axis", 2))},
    }
    inputs = {"x": (1, 3, FRAME, 1), "lines": (1, 3, KEPT, 1), "results": (1, 4, LATER, 1)}
    graph = helper.make_graph(
        nodes,
        "stacked",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "lines_next", "results_next")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_window_answers_as_its_last_frame_does(tmp_path: Path) -> None:
    states = {"lines": "lines_next", "results": "results_next"}
    graph = lower(import_model(stacked(tmp_path / "m.onnx"), states=states).graph)
    whole = windowed(graph)
    channels, lines, _ = whole.tensors[whole.input.tensor]
    frames = lines // FRAME
    assert (channels, frames) == (3, 1 + LATER + 2), "a result depends on two frames and a half, so on three"
    x = RNG.normal(size=(frames, 3, FRAME, 1)).astype(np.float32)
    stream = given_outputs(graph.outputs, evaluate(graph, x))["y"]
    window = x.transpose(1, 0, 2, 3).reshape(1, *whole.input.shape)
    at_once = evaluate(whole, window)[whole.outputs[0].tensor]
    np.testing.assert_allclose(at_once.reshape(2, -1)[:, -1], stream[-1].ravel(), rtol=1e-5)


def test_features_stay_within_their_ends() -> None:
    made = features(np.random.default_rng(1), 20, (3, 40), -2.0, 24.0)
    assert made.shape == (20, 3, 40) and made.min() >= -2 and made.max() <= 24
