"""Models that come quantised: what has no integers of its own gets 8 bits; integers can be forgotten."""

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import ModelError
from narrows.sw.frontend import load_model
from narrows.sw.layers import Clamp, Mac, Quantise
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize import LayerFormats, QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.trained import beside_integers, forget_integers, settings_beside
from narrows.sw.runtime import prepare_input, restore_outputs
from onnx import helper
from operator_cases import node

RNG = np.random.default_rng(41)
CONFIG = AcceleratorConfig(acc_bits=28, rescale_bits=16, planes=5, taps=1024, blocks=512)
SHAPE = (1, 3, 6, 5)
X = np.random.default_rng(42).normal(0, 0.9, (24, *SHAPE[1:])).astype(np.float32)
CONSTANTS = {
    "sx": np.float32(0.0237),
    "sw": np.float32(0.0071),
    "sy": np.float32(0.0517),
    "zx": np.uint8(117),
    "zw": np.int8(0),
    "zy": np.uint8(0),
    "codes": RNG.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
    "more": RNG.integers(-127, 128, (2, 4, 1, 1)).astype(np.int8),
    "float": RNG.normal(size=(2, 4, 1, 1)).astype(np.float32),
    "f": np.array([1, 1, 2, 2], np.float32),
}
START = [
    node("QuantizeLinear", "x", "sx", "zx", output="q"),
    node("DequantizeLinear", "q", "sx", "zx", output="r"),
    node("DequantizeLinear", "codes", "sw", "zw", output="w"),
    node("Conv", "r", "w", output="c", pads=[1, 1, 1, 1]),
]
ROUND = [node("QuantizeLinear", "c", "sy", "zy", output="cq"), node("DequantizeLinear", "cq", "sy", "zy", output="d")]
MORE = node("DequantizeLinear", "more", "sw", "zw", output="v")


def load(onnx_model, nodes):
    used = {name for each in nodes for name in each.input}
    path = onnx_model(nodes, SHAPE, {k: np.asarray(v) for k, v in CONSTANTS.items() if k in used})
    return path, load_model(path)


def answer(graph):
    tensors = GoldenModel(graph, CONFIG).run(prepare_input(graph, X))
    (values,) = restore_outputs(graph, tensors).values()
    return values


def relative(found, expected):
    return float(np.sqrt(np.square(found - expected).mean() / np.square(expected).mean()))


def test_a_tensor_without_a_quantiser_gets_8_bits(onnx_model, run_onnx):
    path, graph = load(onnx_model, [*START, MORE, node("Conv", "c", "v")])
    quantised = quantise(graph, X, QuantSettings(weights="dybit4", acts="dybit4"), CONFIG)
    assert quantised.tensors["c"].format.name == "int8"
    assert relative(answer(quantised), run_onnx(path, X)) < 0.01
    note = "without a quantiser of the model's own, so quantised to 8 bits: tensors c"
    assert beside_integers(lower(graph)).note == note


def test_weights_without_a_quantiser_get_8_bits(onnx_model, run_onnx):
    path, graph = load(onnx_model, [*START, *ROUND, node("Conv", "d", "float")])
    quantised = quantise(graph, X, QuantSettings(weights="dybit4", acts="dybit4"), CONFIG)
    levels = quantised.layers[-1].segments[0].weights
    assert len(np.unique(levels)) == levels.size or np.abs(levels).max() > 16
    assert relative(answer(quantised), run_onnx(path, X)) < 0.01
    note = "without a quantiser of the model's own, so quantised to 8 bits: weights of layers the_Conv"
    assert beside_integers(lower(graph)).note == note


def test_formats_of_single_layers_stay(onnx_model):
    _, graph = load(onnx_model, [*START, MORE, node("Conv", "c", "v")])
    settings = QuantSettings(layers={"w": LayerFormats(acts="int4")})
    found = settings_beside(lower(graph), settings)
    assert (found.weights, found.acts, dict(found.layers)) == ("int8", "int8", dict(settings.layers))


def test_copies_are_exact(onnx_model, run_onnx):
    nodes = [
        *START,
        *ROUND,
        node("Resize", "d", "", "f", output="u"),
        node("Conv", "r", "w", output="e", pads=[1, 1, 1, 1]),
        node("QuantizeLinear", "e", "sy", "zy", output="eq"),
        node("DequantizeLinear", "eq", "sy", "zy", output="g"),
        node("Resize", "g", "", "f", output="h"),
        node("Concat", "u", "h", axis=1),
    ]
    path, graph = load(onnx_model, nodes)
    quantised = quantise(graph, X, QuantSettings(), CONFIG)
    found, expected = answer(quantised), run_onnx(path, X)
    assert (np.abs(found - expected) < 1e-5).mean() > 0.999
    np.testing.assert_array_equal(found[:, :4], found[:, 4:])
    np.testing.assert_array_equal(found[:, :, ::2, ::2], found[:, :, 1::2, 1::2])
    assert beside_integers(lower(graph)).note == ""


@pytest.mark.parametrize("factors", [(1, 2, 4), (1, 1.5, 3), (2, 3, 5)])
def test_scales_along_the_summed_axis_that_have_a_common_step_are_exact(factors, onnx_model, run_onnx):
    small = RNG.integers(-15, 16, (4, 3, 3, 3)).astype(np.int8)
    scales = (np.array(factors) * 0.0071).astype(np.float32)
    nodes = [
        *START[:2],
        helper.make_node("DequantizeLinear", ["small", "by", "zeros"], ["w"], axis=1),
        node("Conv", "r", "w", output="c"),
        *ROUND,
    ]
    used = {name for each in nodes for name in each.input}
    constants = CONSTANTS | {"small": small, "by": scales, "zeros": np.zeros(3, np.int8)}
    path = onnx_model(nodes, SHAPE, {k: np.asarray(v) for k, v in constants.items() if k in used})
    graph = load_model(path)
    assert beside_integers(lower(graph)).note == ""
    values = answer(quantise(graph, X, QuantSettings(), CONFIG))
    assert (np.abs(values - run_onnx(path, X)) < 1e-5).mean() > 0.995


def test_forgetting_leaves_a_float_model_of_the_same_function(onnx_model, run_onnx):
    path, graph = load(onnx_model, [*START, *ROUND, MORE, node("Conv", "d", "v")])
    plain = forget_integers(graph)
    lowered = lower(plain)
    assert not lowered.grids and not any(isinstance(layer, Quantise) for layer in plain.layers)
    assert all(term.step is None for layer in lowered.layers if isinstance(layer, Mac) for term in layer.terms)
    # the quantiser of unsigned codes was a Relu, too, and clamped what its largest code stands for
    assert (lowered.layers[0].low, lowered.layers[0].high) == (0.0, pytest.approx(255 * 0.0517))
    (values,) = given_outputs(lowered.outputs, evaluate(lowered, X)).values()
    assert relative(values, run_onnx(path, X)) < 0.02
    narrow = quantise(plain, X, QuantSettings(weights="dybit4", acts="dybit4"), CONFIG)
    assert narrow.tensors[narrow.layers[0].output].format.name == "dybit4"


def test_the_ends_of_a_grid_around_a_zero_level_are_kept(onnx_model):
    round_ = [
        node("QuantizeLinear", "c", "sx", "zx", output="cq"),
        node("DequantizeLinear", "cq", "sx", "zx", output="d"),
    ]
    plain = forget_integers(load(onnx_model, [*START, *round_, MORE, node("Conv", "d", "v")])[1])
    [clamp] = [layer for layer in plain.layers if isinstance(layer, Clamp)]
    assert (clamp.low, clamp.high) == (pytest.approx(-117 * 0.0237), pytest.approx(138 * 0.0237))


def test_signs_cannot_be_forgotten(onnx_model):
    nodes = [
        helper.make_node("BipolarQuant", ["x", "sx"], ["q"], name="sign", domain="qonnx.custom_op.general"),
        node("Conv", "q", "float3"),
    ]
    constants = {"sx": np.asarray(CONSTANTS["sx"]), "float3": np.ones((2, 3, 1, 1), np.float32)}
    with pytest.raises(ModelError) as caught:
        forget_integers(load_model(onnx_model(nodes, SHAPE, constants)))
    assert str(caught.value) == "layer 'sign' gives signs: such a network has no other formats"
