"""A network with activation functions, from its ONNX file to a simulated core: every level is the golden model's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
from narrows.hw.spec.config import PRESETS
from narrows.sw.compile import compile_graph
from narrows.sw.frontend import load_model
from narrows.sw.quantised import MacLayer
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime.tensors import prepare_input
from onnx import TensorProto, helper, numpy_helper
from program_batch import check_programs

CONFIG = dataclasses.replace(PRESETS["tiny"], tables=4)
SHAPE = (2, 9, 8)


def curved_network(path: Path) -> Path:
    """Two convolutions, HardSwish and SiLU behind them, a pool between, and a Gelu behind a sum; random weights."""
    rng = np.random.default_rng(21)
    shapes = {"first": (6, 2, 3, 3), "second": (8, 6, 3, 3), "third": (5, 8, 1, 1)}
    weights = {name: rng.normal(0, np.prod(shape[1:]) ** -0.5, shape) for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("HardSwish", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["c", "second"], ["d"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["d"], ["e"]),
        helper.make_node("Mul", ["d", "e"], ["f"]),
        helper.make_node("Add", ["f", "d"], ["g"]),
        helper.make_node("Gelu", ["g"], ["h"]),
        helper.make_node("Conv", ["h", "third"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "curved",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *SHAPE))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


def test_a_network_of_curves_agrees_with_the_golden_model_to_the_bit(tmp_path: Path) -> None:
    graph = load_model(curved_network(tmp_path / "curved.onnx"))
    x = 2 * np.random.default_rng(22).normal(size=(40, *SHAPE))
    quantised = quantise(graph, x, QuantSettings(), CONFIG)
    assert sum(isinstance(layer, MacLayer) and layer.table is not None for layer in quantised.layers) == 3
    program = compile_graph(quantised, CONFIG)
    (report,) = check_programs(CONFIG, [(program, prepare_input(quantised, x[:3]))])
    assert report["differences"] == []
    assert len(report["cycles"]) == 3
