"""wake_model: a small streaming model of lines of 40 features, as wake words are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["STATES", "wake_model"]

STATES = {"kept": "newest"}


def wake_model(path: Path, seed: int = 17) -> Path:
    """Frames of 3 lines (1, 3, 40); a probability for the 5 newest lines, near 1 where they are loud."""
    rng = np.random.default_rng(seed)
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["turned"], "turn", perm=[0, 2, 1]),
        node("Unsqueeze", ["turned", "three"], ["lines"], "lines"),
        node("Concat", ["kept", "lines"], ["window"], "join", axis=2),
        node("Slice", ["window", "three", "five", "two"], ["newest"], "slice"),
        node("Conv", ["window", "w", "b"], ["score"], "conv"),
        node("Flatten", ["score"], ["flat"], "flat"),
        node("Sigmoid", ["flat"], ["y"], "sigmoid"),
    ]
    weights = 0.005 + 0.005 * rng.normal(size=(1, 40, 5, 1))
    constants = {
        "w": weights.astype(np.float32),
        "b": np.array([-6.0], dtype=np.float32),
        **{name: np.array([number]) for name, number in (("two", 2), ("three", 3), ("five", 5))},
    }
    shapes = {"x": (1, 3, 40), "kept": (1, 40, 2, 1)}
    graph = helper.make_graph(
        nodes,
        "wake",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "newest")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
