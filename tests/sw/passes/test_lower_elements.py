"""Maps by element in front of a layer that sees the whole tensor become part of its weights."""

from __future__ import annotations

import numpy as np
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node


def test_a_map_before_a_fully_connected_layer_takes_no_layer(onnx_model, run_onnx) -> None:
    rng = np.random.default_rng(3)
    constants = {
        "gains": rng.normal(size=(1, 2, 3, 3)).astype(np.float32),
        "shifts": rng.normal(size=(1, 2, 3, 3)).astype(np.float32),
        "shape": np.array([1, 18]),
        "w": rng.normal(size=(18, 4)).astype(np.float32),
    }
    nodes = [
        node("Mul", "x", "gains", output="m"),
        node("Add", "m", "shifts", output="a"),
        node("Reshape", "a", "shape", output="flat"),
        node("MatMul", "flat", "w"),
    ]
    path = onnx_model(nodes, (1, 2, 3, 3), constants)
    graph = lower(load_model(path))
    assert [type(layer) for layer in graph.layers] == [Mac]
    x = rng.normal(size=(5, 2, 3, 3)).astype(np.float32)
    [found] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(found, run_onnx(path, x), atol=1e-5)
