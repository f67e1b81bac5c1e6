"""A layer that reads three concatenated tensors reads each of them."""

from __future__ import annotations

import numpy as np
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node


def test_each_part_has_its_share_of_the_weights(onnx_model, run_onnx) -> None:
    rng = np.random.default_rng(2)
    weights = {f"w{i}": rng.normal(size=(i + 1, 2, 1, 1)).astype(np.float32) for i in range(3)}
    last = rng.normal(size=(2, 6, 3, 3)).astype(np.float32)
    nodes = [node("Conv", "x", f"w{i}", output=f"c{i}") for i in range(3)]
    nodes += [node("Relu", f"c{i}", output=f"r{i}") for i in range(3)]
    nodes += [node("Concat", "r0", "r1", "r2", output="all", axis=1), node("Conv", "all", "last", pads=[1, 1, 1, 1])]
    path = onnx_model(nodes, (1, 2, 4, 4), {**weights, "last": last})
    graph = lower(load_model(path))
    layer = graph.layers[-1]
    assert isinstance(layer, Mac)
    assert [term.weights.shape[1] for term in layer.terms] == [1, 2, 3]
    x = rng.normal(size=(3, 2, 4, 4)).astype(np.float32)
    [found] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(found, run_onnx(path, x), atol=1e-5)
