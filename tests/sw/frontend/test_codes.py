"""Operators on codes give the integers that onnxruntime computes without optimisations, for every sample."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.trained import beside_integers
from narrows.sw.runtime import prepare_input, restore_outputs
from onnx import TensorProto, numpy_helper
from operator_cases import node

RNG = np.random.default_rng(31)
SHAPE = (1, 3, 6, 5)
CONFIG = AcceleratorConfig(acc_bits=28, rescale_bits=16, planes=5, taps=1024, blocks=512, tables=2)
SCALES = {"sx": np.float32(0.0237), "sw": np.float32(0.0071), "sy": np.float32(0.0517), "one": np.float32(1.0)}
ZEROS = {"zx": np.uint8(117), "zw": np.int8(0), "zy": np.int8(-9), "z0": np.uint8(0)}
WEIGHTS = RNG.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
SMALL = RNG.integers(-127, 128, (2, 4, 1, 1)).astype(np.int8)

QUANTISE = node("QuantizeLinear", "x", "sx", "zx", output="q")
REAL = node("DequantizeLinear", "q", "sx", "zx", output="r")
KERNEL = node("DequantizeLinear", "codes", "sw", "zw", output="w")
ROUND = [node("QuantizeLinear", "c", "sy", "zy", output="cq"), node("DequantizeLinear", "cq", "sy", "zy")]


def behind(*nodes, read="r", **attributes):
    """A convolution of trained integers behind nodes, rounded."""
    return [QUANTISE, *nodes, KERNEL, node("Conv", read, "w", output="c", **attributes), *ROUND]


def dequantised(source):
    return node("DequantizeLinear", source, "sx", "zx", output="r")


CASES = {
    "transposed and back": behind(
        node("Transpose", "q", output="t", perm=[0, 2, 3, 1]),
        node("Transpose", "t", output="u", perm=[0, 3, 1, 2]),
        dequantised("u"),
    ),
    "reshaped": behind(node("Reshape", "q", "shape", output="t"), dequantised("t")),
    "largest": behind(node("MaxPool", "q", output="t", kernel_shape=[2, 2], pads=[1, 0, 0, 1]), dequantised("t")),
    "bordered by the code 0": behind(node("Pad", "q", "pads", output="t"), dequantised("t")),
    "bordered by the zero point": behind(node("Pad", "q", "pads", "zx", output="t"), dequantised("t")),
    "bordered twice": behind(node("Pad", "q", "pads", "c9", output="t"), dequantised("t"), pads=[1, 1, 1, 1]),
    "joined": behind(
        node("MaxPool", "q", output="m", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Slice", "q", "from", "to", output="t"),
        node("Slice", "m", "from2", "to2", output="u"),
        node("Concat", "t", "u", output="v", axis=1),
        dequantised("v"),
    ),
    "narrowed": behind(node("Clip", "q", "c9", "c130", output="t"), dequantised("t")),
    "narrowed above": behind(node("Clip", "q", "", "c130", output="t"), dequantised("t")),
    "cast to float and scaled by hand": behind(
        node("Cast", "q", output="f", to=TensorProto.FLOAT),
        node("Sub", "f", "zx_f", output="d"),
        node("Mul", "d", "sx", output="r"),
    ),
    "cast to int32 and scaled by hand": behind(
        node("Cast", "q", output="i", to=TensorProto.INT32),
        node("Sub", "i", "zx_i", output="d"),
        node("Cast", "d", output="f", to=TensorProto.FLOAT),
        node("Mul", "f", "sx", output="r"),
    ),
    "given another scale": behind(node("DequantizeLinear", "q", "sy", "zx", output="r")),
    "given another zero point": behind(node("DequantizeLinear", "q", "sx", "z0", output="r")),
    "relu of codes": [
        *behind(REAL)[:-1],
        node("Relu", "cq", output="k"),
        node("DequantizeLinear", "k", "sy", "zy"),
    ],
}
CONSTANTS = (
    SCALES
    | ZEROS
    | {
        "codes": WEIGHTS,
        "small": SMALL,
        "shape": np.array([1, 3, 5, 6]),
        "from": np.array([0, 0]),
        "to": np.array([1, 1]),
        "from2": np.array([0, 1]),
        "to2": np.array([1, 3]),
        "pads": np.array([0, 0, 1, 0, 0, 0, 2, 1]),
        "c9": np.uint8(9),
        "c130": np.uint8(130),
        "zx_f": np.float32(117),
        "zx_i": np.int32(117),
    }
)


def exact_model(onnx_model, nodes, constants=None, opset=17):
    used = {name for each in nodes for name in each.input}
    known = CONSTANTS | (constants or {})
    return onnx_model(nodes, SHAPE, {k: np.asarray(v) for k, v in known.items() if k in used}, opset=opset)


def answer(path, x):
    graph = quantise(load_model(path), x, QuantSettings(), CONFIG)
    tensors = GoldenModel(graph, CONFIG).run(prepare_input(graph, x))
    (values,) = restore_outputs(graph, tensors).values()
    return values, graph


@pytest.mark.parametrize("case", CASES)
def test_integers_are_those_of_onnxruntime(case, onnx_model, run_onnx):
    path = exact_model(onnx_model, CASES[case])
    x = np.random.default_rng(2).normal(0, 1.5, (12, *SHAPE[1:])).astype(np.float32)
    values, graph = answer(path, x)
    expected = run_onnx(path, x)
    steps = (values - expected) / float(SCALES["sy"])
    assert np.abs(steps).max() <= 1.001
    assert (np.abs(steps) < 1e-3).mean() >= 0.998  # the rest lies half way between two levels
    assert all(tensor.format.name in ("int8", "uint8") or tensor.format.bits < 8 for tensor in graph.tensors.values())
    assert beside_integers(lower(load_model(path))).note == ""


@pytest.mark.parametrize("kind", ["int4", "uint4"])
def test_four_bits(kind, onnx_model, run_onnx):
    constants = {"z4": np.array(3, ml_dtypes.uint4 if kind == "uint4" else ml_dtypes.int4), "s4": np.float32(0.41)}
    nodes = [
        node("QuantizeLinear", "x", "s4", "z4", output="q"),
        node("DequantizeLinear", "q", "s4", "z4", output="r"),
        KERNEL,
        node("Conv", "r", "w", output="c"),
        *ROUND,
    ]
    path = exact_model(onnx_model, nodes, constants, opset=21)
    x = np.random.default_rng(2).normal(0, 2, (12, *SHAPE[1:])).astype(np.float32)
    values, graph = answer(path, x)
    np.testing.assert_allclose(values, run_onnx(path, x), atol=1e-5)
    tensor = graph.tensors[graph.input.tensor]
    assert tensor.high - tensor.low == 15


def test_four_bit_floats_are_integers(onnx_model):
    levels = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    kernel = (RNG.choice(levels, (4, 3, 3, 3)) * RNG.choice([-1, 1], (4, 3, 3, 3))).astype(ml_dtypes.float4_e2m1fn)
    nodes = [QUANTISE, REAL, node("DequantizeLinear", "kernel", "sy", output="w"), *behind()[2:]]
    path = exact_model(onnx_model, nodes, opset=23)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(kernel, "kernel"))
    model.ir_version = 11
    onnx.save(model, path)
    graph = lower(load_model(path))
    (term,) = graph.layers[0].terms
    assert term.step is not None
    np.testing.assert_array_equal(term.weights / term.step[:, None, None, None], 2 * kernel.astype(np.float64))
    assert beside_integers(graph).note == ""


REFUSED = {
    "Conv": node("Conv", "q", "kernel", output="y"),
    "AveragePool": node("AveragePool", "q", output="y", kernel_shape=[2, 2]),
    "Neg": node("Neg", "q", output="y"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_nothing_else_computes_with_codes(kind, onnx_model, monkeypatch):
    constants = {"kernel": np.ones((4, 3, 3, 3), np.float32)}
    monkeypatch.setattr(onnx.checker, "check_model", lambda model: None)  # most of these are no valid ONNX either
    path = exact_model(onnx_model, [QUANTISE, REFUSED[kind]], constants)
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(path)
    assert str(caught.value) == (
        f"operator {kind} (node '{REFUSED[kind].name}') is not supported: it computes with "
        "codes of a quantiser: put a DequantizeLinear before it"
    )


def test_codes_of_different_scales_are_not_joined(onnx_model):
    nodes = [
        QUANTISE,
        node("QuantizeLinear", "x", "sy", "zx", output="p"),
        node("Concat", "q", "p", output="j", axis=1),
        node("DequantizeLinear", "j", "sx", "zx"),
    ]
    with pytest.raises(UnsupportedOperator, match="codes of different scales"):
        load_model(exact_model(onnx_model, nodes))


def test_a_cast_to_a_narrow_type_is_refused(onnx_model):
    nodes = [QUANTISE, node("Cast", "q", output="y", to=TensorProto.INT8)]
    with pytest.raises(UnsupportedOperator, match="a type that may not hold them"):
        load_model(exact_model(onnx_model, nodes))
