"""Activation functions become the curves of the layers before them, however exporters write them."""

import numpy as np
import pytest
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac, MaxPool
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from onnx import helper

RNG = np.random.default_rng(12)
SHAPE = (1, 3, 6, 5)
CONSTANTS = {
    "w": RNG.normal(size=(4, 3, 3, 3)).astype(np.float32),
    "v": RNG.normal(size=(2, 4, 1, 1)).astype(np.float32),
    "square": RNG.normal(size=(4, 4, 3, 3)).astype(np.float32),
    "by channel": RNG.normal(size=(4, 1, 1)).astype(np.float32),
} | {name: np.float32(name) for name in ("0", "0.5", "1", "2", "3", "6", "1.4142135", "0.044715", "0.7978846")}


def node(kind, *inputs, output="y", **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


CONV = node("Conv", "x", "w", output="c")
LAST = node("Conv", "s", "v")

OPERATORS = {
    "Sigmoid": {},
    "Tanh": {},
    "HardSwish": {},
    "Gelu": {},
    "Gelu of tanh": {"approximate": "tanh"},
    "Mish": {},
    "Elu": {"alpha": 0.7},
    "Selu": {},
    "Celu": {"alpha": 0.5},
    "Softplus": {},
    "Softsign": {},
    "ThresholdedRelu": {"alpha": 0.25},
    "Erf": {},
    "Exp": {},
    "Abs": {},
}

PATTERNS = {
    "silu": [node("Sigmoid", "c", output="a"), node("Mul", "c", "a", output="s")],
    "hardswish of hardsigmoid": [
        node("HardSigmoid", "c", output="a", alpha=1 / 6, beta=0.5),
        node("Mul", "a", "c", output="s"),
    ],
    "hardswish of clip": [
        node("Add", "c", "3", output="a"),
        node("Clip", "a", "0", "6", output="b"),
        node("Mul", "c", "b", output="d"),
        node("Div", "d", "6", output="s"),
    ],
    "hardswish of relu6 divided first": [
        node("Add", "c", "3", output="a"),
        node("Clip", "a", "0", "6", output="b"),
        node("Div", "b", "6", output="d"),
        node("Mul", "c", "d", output="s"),
    ],
    "gelu of erf": [
        node("Div", "c", "1.4142135", output="a"),
        node("Erf", "a", output="b"),
        node("Add", "b", "1", output="d"),
        node("Mul", "c", "d", output="e"),
        node("Mul", "e", "0.5", output="s"),
    ],
    "gelu of tanh": [
        node("Pow", "c", "3", output="a"),
        node("Mul", "a", "0.044715", output="b"),
        node("Add", "c", "b", output="d"),
        node("Mul", "d", "0.7978846", output="e"),
        node("Tanh", "e", output="f"),
        node("Add", "f", "1", output="g"),
        node("Mul", "c", "g", output="h"),
        node("Mul", "h", "0.5", output="s"),
    ],
    "mish": [
        node("Softplus", "c", output="a"),
        node("Tanh", "a", output="b"),
        node("Mul", "c", "b", output="s"),
    ],
    "square": [node("Mul", "c", "c", output="s")],
    "square, by its power": [node("Pow", "c", "2", output="s")],
    "clamp before and behind": [
        node("Clip", "c", "", "3", output="a"),
        node("Tanh", "a", output="b"),
        node("Relu", "b", output="s"),
    ],
    "scaled before and behind": [
        node("Mul", "c", "by channel", output="a"),
        node("Sigmoid", "a", output="b"),
        node("Mul", "b", "by channel", output="s"),
    ],
    "one after the other": [node("Tanh", "c", output="a"), node("Softplus", "a", output="s")],
}


def lowered(nodes, onnx_model, run_onnx, tolerance=1e-5):
    """The lowered graph, which computes what onnxruntime does."""
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, SHAPE, {name: value for name, value in CONSTANTS.items() if name in used}, opset=20)
    graph = lower(load_model(path))
    x = np.random.default_rng(13).normal(size=(4, *SHAPE[1:]))
    expected = run_onnx(path, x)
    np.testing.assert_allclose(evaluate(graph, x)["y"], expected, atol=tolerance * np.abs(expected).max())
    assert lower(graph).layers == graph.layers
    return graph


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_is_the_curve_of_the_convolution_before_it(operator, onnx_model, run_onnx):
    nodes = [CONV, node(operator.split()[0], "c", output="s", **OPERATORS[operator]), LAST]
    graph = lowered(nodes, onnx_model, run_onnx)
    assert [isinstance(layer, Mac) and layer.curve is not None for layer in graph.layers] == [True, False]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_one_curve(pattern, onnx_model, run_onnx):
    graph = lowered([CONV, *PATTERNS[pattern], LAST], onnx_model, run_onnx)
    assert [isinstance(layer, Mac) and layer.curve is not None for layer in graph.layers] == [True, False]


def test_sums_are_made_before_the_curve(onnx_model, run_onnx):
    nodes = [
        CONV,
        node("Tanh", "c", output="a"),
        node("Conv", "a", "square", pads=[1, 1, 1, 1], output="b"),
        node("Add", "b", "a", output="d"),
        node("HardSwish", "d", output="s"),
        LAST,
    ]
    graph = lowered(nodes, onnx_model, run_onnx)
    assert [(len(layer.sources), layer.curve is None) for layer in graph.layers if isinstance(layer, Mac)] == [
        (1, False),
        (2, False),
        (1, True),
    ]


def test_a_curve_whose_input_others_read_is_a_layer_of_its_own(onnx_model, run_onnx):
    graph = lowered(
        [CONV, node("Tanh", "c", output="a"), node("Add", "a", "c", output="s"), LAST], onnx_model, run_onnx
    )
    curves = [layer for layer in graph.layers if isinstance(layer, Mac) and layer.curve is not None]
    assert [(layer.terms[0].constant, layer.terms[0].depthwise) for layer in curves] == [(True, True)]


@pytest.mark.parametrize(("kind", "kinds"), [("Tanh", [Mac, MaxPool, Mac]), ("HardSwish", [Mac, MaxPool, Mac, Mac])])
def test_only_increasing_curves_move_before_a_max_pool(kind, kinds, onnx_model, run_onnx):
    nodes = [CONV, node("MaxPool", "c", output="p", kernel_shape=[2, 2]), node(kind, "p", output="s"), LAST]
    graph = lowered(nodes, onnx_model, run_onnx)
    assert [type(layer) for layer in graph.layers] == kinds


@pytest.mark.parametrize("kind", ["Sigmoid", "Tanh"])
def test_the_last_one_is_left_to_the_host(kind, onnx_model):
    graph = load_model(onnx_model([CONV, node(kind, "c")], SHAPE, {"w": CONSTANTS["w"]}))
    assert [type(layer) for layer in graph.layers] == [Mac]
    assert graph.notes == (f"{kind} (node '{kind}_y') is left to the host",)


def test_others_run_as_the_last_one_too(onnx_model, run_onnx):
    graph = lowered([CONV, *PATTERNS["silu"][:1], node("Mul", "c", "a")], onnx_model, run_onnx)
    assert [isinstance(layer, Mac) and str(layer.curve) for layer in graph.layers] == ["mul(x, sigmoid(x))"]
