"""Which layers are equalised though nobody asked for it."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.frontend import load_model
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.prepare import equalised_unasked
from operator_cases import node


@pytest.mark.parametrize(("small", "asked", "found"), [(1e-3, False, ["h"]), (1.0, False, []), (1e-3, True, [])])
def test_layers_whose_channels_would_vanish_are_named(onnx_model, small: float, asked: bool, found: list[str]) -> None:
    first = np.array([1.0, small], np.float32).reshape(2, 1, 1, 1)
    second = np.array([1.0, 1 / small], np.float32).reshape(1, 2, 1, 1)
    nodes = [node("Conv", "x", "first", output="h"), node("Relu", "h", output="r"), node("Conv", "r", "second")]
    nodes[0].name = "h"
    graph = load_model(onnx_model(nodes, (1, 1, 4, 4), {"first": first, "second": second}))
    x = np.random.default_rng(5).normal(size=(16, 1, 4, 4)).astype(np.float32)
    settings = QuantSettings(weights="int8", acts="uint4", equalise=asked)
    assert equalised_unasked(graph, x, settings) == found
