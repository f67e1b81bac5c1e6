"""Curves as tables: the integers that are looked up suit the function, the machine computes what the float net does."""

import asyncio
import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Int
from narrows.hw.spec.tables import look_up
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.curves import Function, X
from narrows.sw.frontend import load_model
from narrows.sw.grids import Grid
from narrows.sw.passes import lower
from narrows.sw.quantised import MacLayer
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.lookup import choose_integers, integers_of_grid, level_table
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.runtime.samples import run_samples
from onnx import helper

RNG = np.random.default_rng(41)
SIGMOID = Function("sigmoid", (X,))
HARD_SWISH = Function("mul", (X, Function("clip", (Function("add", (Function("mul", (X, 1 / 6)), 0.5)), 0.0, 1.0))))
CONFIG = AcceleratorConfig(rows=2, columns=4, lanes=4, rescalers=2, acc_bits=24, rescale_bits=8, tables=2)
KINDS = ("Sigmoid", "Tanh", "HardSwish", "Gelu", "Mish", "Elu", "Selu", "Celu", "Softplus", "Softsign", "Erf", "Abs")


def node(kind, *inputs, output="y", **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def window(integers):
    return tuple(integers.scale * (end - integers.zero) for end in (integers.low, integers.high))


def test_integers_are_spent_where_the_function_is_steep():
    sums = np.random.default_rng(1).normal(0, 40, 20000)
    low, high = window(choose_integers("y", (1, 1, 1), SIGMOID, sums, None))
    assert -9 < low < -4 and 4 < high < 9
    low, high = window(choose_integers("y", (1, 1, 1), HARD_SWISH, sums, None))
    assert -6 < low < -2 and 100 < high < 180


def test_rounding_to_the_chosen_integers_hardly_changes_the_function():
    sums = np.random.default_rng(2).normal(-1, 3, 20000)
    for function in (SIGMOID, HARD_SWISH):
        integers = choose_integers("y", (1, 1, 1), function, sums, None)
        q = np.clip(np.rint(sums / integers.scale) + integers.zero, integers.low, integers.high)
        error = function((q - integers.zero) * integers.scale) - function(sums)
        assert np.square(error).mean() < 1e-4 * function(sums).var()


def test_only_offered_scales_are_taken():
    scales = np.array([0.01, 0.03, 0.09])
    integers = choose_integers("y", (1, 1, 1), SIGMOID, np.linspace(-9, 9, 999), scales)
    assert integers.scale in scales
    assert choose_integers("y", (1, 1, 1), SIGMOID, np.zeros(5), None).scale > 0


@pytest.mark.parametrize(
    ("grid", "function", "expected"),
    [
        (Grid(scale=0.1, zero=0, low=-8, high=7), SIGMOID, (0, -8, 7)),
        (Grid(scale=0.1, zero=0, low=-128, high=127), SIGMOID, (0, -127, 127)),
        (Grid(scale=0.1, zero=100, low=0, high=255), HARD_SWISH, (-28, -127, 127)),
        (Grid(scale=0.1, zero=0, low=0, high=255), Function("tanh", (X,)), (-127, -127, 127)),
    ],
)
def test_integers_of_a_grid_are_its_own_moved(grid, function, expected):
    integers = integers_of_grid("y", (1, 1, 1), function, grid)
    assert (integers.zero, integers.low, integers.high) == expected
    assert integers.scale == grid.scale


def test_a_table_holds_the_nearest_levels():
    integers = dataclasses.replace(choose_integers("y", (1, 1, 1), SIGMOID, np.linspace(-6, 6, 99), None), scale=0.05)
    output = dataclasses.replace(integers, format=Int(4), scale=1 / 7, zero=0, low=1, high=6)
    table = level_table(SIGMOID, integers, output, None)
    wanted = np.clip(np.rint(7 * SIGMOID(0.05 * (np.arange(-127, 128) - integers.zero))), 1, 6)
    np.testing.assert_array_equal(look_up(table.levels, np.arange(-127, 128)), wanted)
    grid = Grid(scale=0.5, zero=0, low=-1, high=1, bipolar=True)
    signs = level_table(X, integers, dataclasses.replace(output, format=Int(2), zero=0, low=-1, high=1), grid)
    np.testing.assert_array_equal(signs.levels, np.where(np.arange(-127, 128) >= integers.zero, 1, -1))


@pytest.fixture
def small(onnx_model):
    """Graph of a convolution, an activation function and a convolution; and calibration samples."""

    def make(kind):
        nodes = [
            node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
            node(kind, "c", output="s"),
            node("Conv", "s", "v"),
        ]
        constants = {"w": normal(5, 2, 3, 3) / 2, "b": normal(5), "v": normal(3, 5, 1, 1)}
        return load_model(onnx_model(nodes, (1, 2, 6, 5), constants, opset=20)), normal(48, 2, 6, 5)

    return make


def signal_to_noise(graph, quantised, config, x):
    """In dB, of the output, float against golden model."""
    result = restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x)))["y"]
    expected = evaluate(lower(graph), x)["y"]
    return 10 * np.log10(expected.var() / np.square(expected - result.reshape(expected.shape)).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_quantised_curves_follow_the_float_ones(kind, small):
    graph, x = small(kind)
    quantised = quantise(graph, x, QuantSettings(weights="int8", acts="int8"), CONFIG)
    assert [layer.table is not None for layer in quantised.layers if isinstance(layer, MacLayer)] == [True, False]
    assert signal_to_noise(graph, quantised, CONFIG, x) > 28
    narrow = quantise(graph, x, QuantSettings(), CONFIG)
    assert signal_to_noise(graph, narrow, CONFIG, x) > 11


@pytest.mark.parametrize("kind", KINDS)
def test_the_isa_model_computes_what_the_golden_model_does(kind, small):
    graph, x = small(kind)
    program = compile_graph(quantise(graph, x, QuantSettings(), CONFIG), CONFIG)
    levels = prepare_input(program.graph, x[:2])
    golden = GoldenModel(program.graph, CONFIG).run(levels)
    result = asyncio.run(run_samples(IsaTransport(CONFIG), program, levels, dump_layers=2))
    for name, tensor in result.dumps.items():
        np.testing.assert_array_equal(tensor, golden[name], err_msg=name)
    assert set(result.dumps) >= {"s", "y"}


def test_bounded_functions_narrow_what_their_readers_assume(small):
    graph, x = small("Sigmoid")
    tensor = quantise(graph, x, QuantSettings(weights="int8", acts="int8"), CONFIG).tensors["s"]
    low, high = (tensor.scale * (end - tensor.zero) for end in (tensor.low, tensor.high))
    assert -tensor.scale <= low < high <= 1 + tensor.scale


def test_a_curve_behind_a_tensor_that_others_read_has_no_gain_error(onnx_model):
    nodes = [
        node("Conv", "x", "w", output="c"),
        node("Relu", "c", output="r"),
        node("Gelu", "r", output="a"),
        node("Add", "a", "r", output="s"),
        node("Conv", "s", "v"),
    ]
    graph = load_model(onnx_model(nodes, (1, 2, 6, 5), {"w": normal(4, 2, 3, 3), "v": normal(3, 4, 1, 1)}, opset=20))
    quantised = quantise(graph, normal(32, 2, 6, 5), QuantSettings(), CONFIG)
    (layer,) = (layer for layer in quantised.layers if isinstance(layer, MacLayer) and layer.table is not None)
    (segment,) = layer.segments
    assert segment.depthwise and np.ptp(segment.weights) == 0
    assert CONFIG.digits.count(segment.weights) == 1


def trained_model(onnx_model):
    """QDQ: a convolution of int8, its sums rounded, HardSwish, rounded again, and a convolution."""
    codes = np.random.default_rng(5).integers(-127, 128, (4, 2, 3, 3)).astype(np.int8)
    last = np.random.default_rng(6).integers(-127, 128, (3, 4, 1, 1)).astype(np.int8)

    def rounded(name, scale, zero):
        return [
            node("QuantizeLinear", name, scale, zero, output=f"{name}_q"),
            node("DequantizeLinear", f"{name}_q", scale, zero, output=f"{name}_r"),
        ]

    nodes = [
        *rounded("x", "sx", "zx"),
        node("DequantizeLinear", "codes", "sw", "zw", output="w"),
        node("Conv", "x_r", "w", output="c"),
        *rounded("c", "sc", "zc"),
        node("HardSwish", "c_r", output="h"),
        *rounded("h", "sh", "zh"),
        node("DequantizeLinear", "last", "sw", "zw", output="v"),
        node("Conv", "h_r", "v", output="y"),
    ]
    constants = {"codes": codes, "last": last, "sw": np.float32(0.01), "zw": np.int8(0)}
    # 0.0713: no sum of the first convolution lies half way between two levels, where float32 sums round to either
    for name, scale, zero in (("x", 0.02, 3), ("c", 0.0713, -9), ("h", 0.035, -117)):
        constants |= {f"s{name}": np.float32(scale), f"z{name}": np.int8(zero)}
    return onnx_model(nodes, (1, 2, 6, 5), constants)


def test_trained_integers_before_a_curve_are_those_that_are_looked_up(onnx_model, run_onnx):
    path = trained_model(onnx_model)
    graph, x = load_model(path), normal(32, 2, 6, 5)
    config = dataclasses.replace(CONFIG, rescale_bits=16)
    quantised = quantise(graph, x, QuantSettings(), config)
    first, _ = (layer for layer in quantised.layers if isinstance(layer, MacLayer))
    assert first.table is not None and (first.table.zero, first.table.low, first.table.high) == (-9, -127, 127)
    name, scale = first.output, np.float32(0.035)
    assert quantised.tensors[name].scale == scale
    np.testing.assert_allclose(evaluate(lower(graph), x)["y"], run_onnx(path, x), atol=1e-3)
    levels = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    wrong = evaluate(lower(graph), x)[name] / scale - (levels[name] - quantised.tensors[name].zero)
    assert np.abs(wrong).max() < 3.01 and (np.abs(wrong) < 0.01).mean() > 0.99
