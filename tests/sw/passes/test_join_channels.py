"""Mixed depthwise convolutions: parts that filter a channel each become one depthwise layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.layers import Concat, Mac
from narrows.sw.passes import lower
from narrows.sw.passes.join_channels import join_channels
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node

SEED = 21
RNG = np.random.default_rng(SEED)
CONSTANTS = {
    "w": RNG.normal(size=(2, 1, 3, 3)),
    "v": RNG.normal(size=(4, 1, 1, 5)),
    "u": RNG.normal(size=(2, 1, 3, 3)),
    "b": RNG.normal(size=2),
    "c": RNG.normal(size=4),
    "to": np.array([2]),
    "from": np.array([0]),
    "end": np.array([6]),
    "axis": np.array([1]),
}
OnnxModel = Callable[..., Path]


def parts(**second: Any) -> list[Any]:
    """Two channels by 3 x 3 pixels, four by 1 x 5, side by side, behind a Relu each."""
    settings = {"group": 4, "pads": [0, 2, 0, 2]} | second
    return [
        node("Slice", "x", "from", "to", "axis", output="first"),
        node("Slice", "x", "to", "end", "axis", output="last"),
        node("Conv", "first", "w", "b", group=2, pads=[1, 1, 1, 1], output="p"),
        node("Conv", "last", "v", "c", output="q", **settings),
        node("Relu", "p", output="pr"),
        node("Relu", "q", output="qr"),
    ]


def loaded(nodes: list[Any], onnx_model: OnnxModel) -> Graph:
    constants = {name: np.asarray(value, np.float32 if name in "wvubc" else None) for name, value in CONSTANTS.items()}
    return load_model(onnx_model(nodes, (1, 6, 7, 9), constants))


def difference(graph: Graph) -> float:
    """Largest one of the lowered graph's output from that of the graph as imported."""
    x = np.random.default_rng(SEED).normal(size=(3, *graph.input.shape))
    found = (given.outputs[0].elements(evaluate(given, x)[given.outputs[0].tensor]) for given in (graph, lower(graph)))
    return float(np.abs(next(found) - next(found)).max())


def test_parts_become_one_depthwise_layer(onnx_model: OnnxModel) -> None:
    graph = loaded([*parts(), node("Concat", "pr", "qr", axis=1)], onnx_model)
    (layer,) = lower(graph).layers
    assert isinstance(layer, Mac) and layer.low == 0
    (term,) = layer.terms
    assert term.depthwise and term.weights.shape == (6, 1, 3, 5) and term.window.pads == (1, 2, 1, 2)
    np.testing.assert_array_equal(term.weights[:2, :, :, 1:4], CONSTANTS["w"].astype(np.float32))
    np.testing.assert_array_equal(term.weights[2:, :, 1:2], CONSTANTS["v"].astype(np.float32))
    assert np.count_nonzero(term.weights) == 2 * 9 + 4 * 5
    assert difference(graph) < 1e-5


@pytest.mark.parametrize(
    "nodes",
    [
        [*parts(), node("Concat", "qr", "pr", axis=1)],  # channels in another order
        [*parts(), node("Concat", "pr", "q", axis=1)],  # one goes through no Relu
        [*parts(dilations=[1, 2], pads=[0, 4, 0, 4]), node("Concat", "pr", "qr", axis=1)],
        [*parts(), node("Concat", "pr", "qr", axis=1, output="j"), node("Add", "j", "x")],
        [*parts(), node("Concat", "pr", "qr", axis=1, output="j"), node("Conv", "qr", "v", group=4, pads=[0, 2, 0, 2],
         output="k"), node("Concat", "j", "k", axis=1)],  # one part is read elsewhere
    ],
)  # fmt: skip
def test_whatever_comes_out_is_what_went_in(nodes: list[Any], onnx_model: OnnxModel) -> None:
    graph = loaded(nodes, onnx_model)
    assert difference(graph) < 1e-5


@pytest.mark.parametrize("order", [("qr", "pr"), ("pr", "q")])
def test_other_parts_stay(order: tuple[str, str], onnx_model: OnnxModel) -> None:
    graph = loaded([*parts(), node("Concat", *order, axis=1)], onnx_model)
    assert any(isinstance(layer, Concat) for layer in join_channels(graph).layers)
