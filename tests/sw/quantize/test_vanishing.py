"""Tensors whose small channels vanish beside large ones are found where the outputs need these channels."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.vanishing import vanishing
from operator_cases import node


@pytest.mark.parametrize(("small", "needed", "found"), [(1e-3, True, True), (1.0, True, False), (1e-3, False, False)])
def test_small_channels_count_where_outputs_need_them(onnx_model, small: float, needed: bool, found: bool) -> None:
    first = np.array([1.0, small], np.float32).reshape(2, 1, 1, 1)
    second = np.array([1.0, 1 / small if needed else 0.0], np.float32).reshape(1, 2, 1, 1)
    nodes = [node("Conv", "x", "first", output="h"), node("Relu", "h", output="r"), node("Conv", "r", "second")]
    graph = lower(load_model(onnx_model(nodes, (1, 1, 4, 4), {"first": first, "second": second})))
    x = np.random.default_rng(5).normal(size=(16, 1, 4, 4)).astype(np.float32)
    settings = QuantSettings(weights="int8", acts="uint4")
    assert vanishing(graph, x, settings) == ([["r"]] if found else [])
