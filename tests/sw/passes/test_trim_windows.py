"""Lines and columns of a kernel that no pixel finds inside the source go."""

from __future__ import annotations

import numpy as np
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node


def test_a_kernel_of_wide_dilation_is_a_point(onnx_model, run_onnx) -> None:
    rng = np.random.default_rng(2)
    w = rng.normal(size=(3, 2, 3, 3)).astype(np.float32)
    path = onnx_model([node("Conv", "x", "w", dilations=[6, 6], pads=[6, 6, 6, 6])], (1, 2, 5, 4), {"w": w})
    graph = lower(load_model(path))
    [layer] = graph.layers
    assert isinstance(layer, Mac)
    assert [term.window.kernel for term in layer.terms] == [(1, 1)]
    x = rng.normal(size=(3, 2, 5, 4)).astype(np.float32)
    [found] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(found, run_onnx(path, x), atol=1e-5)
