"""Copies of tensors on trained grids: rearranged by layers, their integers stay what they are."""

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from operator_cases import node

CONFIG = AcceleratorConfig(acc_bits=28, rescale_bits=16, planes=5)

CASES = {
    "flipped": (
        [node("Slice", "q", "b", "e", "a", "t", output="f"), node("Concat", "q", "f", axis=2)],
        lambda v: np.concatenate([v, v[..., ::-1]], axis=2),
    ),
    "side by side": (
        [
            node("Relu", "q", output="r"),
            node("QuantizeLinear", "r", "s", "z", output="rq"),
            node("DequantizeLinear", "rq", "s", "z", output="rd"),
            node("Concat", "q", "rd", axis=2),
        ],
        lambda v: np.concatenate([v, np.maximum(v, 0)], axis=2),
    ),
    "reflected": (
        [node("Pad", "q", "p", mode="reflect", output="m"), node("MaxPool", "m", kernel_shape=[1, 1])],
        lambda v: np.pad(v, ((0, 0), (0, 0), (1, 2), (1, 1)), mode="reflect"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_integers_of_copies_are_those_of_their_source(case, onnx_model):
    nodes, moved = CASES[case]
    constants = {"w": np.random.default_rng(0).integers(-9, 9, (3, 2, 1, 1)).astype(np.int8)}
    constants |= {"s": np.float32(0.05), "z": np.int8(3), "b": np.array([-1]), "e": np.array([-99])}
    constants |= {"a": np.array([3]), "t": np.array([-1]), "p": np.array([0, 0, 1, 1, 0, 0, 2, 1]), "zw": np.int8(0)}
    first = [
        node("QuantizeLinear", "x", "s", "z", output="xq"),
        node("DequantizeLinear", "xq", "s", "z", output="xd"),
        node("DequantizeLinear", "w", "s", "zw", output="wd"),
        node("Conv", "xd", "wd", output="c"),
        node("QuantizeLinear", "c", "s", "z", output="cq"),
        node("DequantizeLinear", "cq", "s", "z", output="q"),
    ]
    graph = load_model(onnx_model([*first, *nodes], (1, 2, 4, 5), constants))
    x = np.random.default_rng(1).normal(size=(6, 2, 4, 5))
    quantised = quantise(graph, x, QuantSettings(), CONFIG)
    source = next(layer for layer in lower(graph).layers if isinstance(layer, Mac)).output
    spec = quantised.tensors[quantised.input.tensor]
    levels = np.clip(spec.format.quantise(x / spec.scale + spec.zero), spec.low, spec.high)
    values = GoldenModel(quantised, CONFIG).run(levels)
    real = {name: (v - quantised.tensors[name].zero) * quantised.tensors[name].scale for name, v in values.items()}
    output = quantised.outputs[0]
    np.testing.assert_allclose(output.given(real[output.tensor]), moved(real[source]), atol=1e-9)


def test_what_has_no_integers_of_its_own_beside_others_gets_8_bits(onnx_model):
    constants = {"w": np.random.default_rng(0).integers(-99, 99, (3, 2, 1, 1)).astype(np.int8), "zw": np.int8(0)}
    constants |= {"v": np.random.default_rng(1).normal(size=(2, 3, 1, 1)).astype(np.float32)}
    constants |= {"s": np.float32(0.05), "z": np.int8(3)}
    nodes = [
        node("QuantizeLinear", "x", "s", "z", output="xq"),
        node("DequantizeLinear", "xq", "s", "z", output="xd"),
        node("DequantizeLinear", "w", "s", "zw", output="wd"),
        node("Conv", "xd", "wd", output="c"),
        node("Relu", "c", output="r"),
        node("Conv", "r", "v"),
    ]
    x = np.random.default_rng(1).normal(size=(6, 2, 4, 5))
    quantised = quantise(load_model(onnx_model(nodes, (1, 2, 4, 5), constants)), x, QuantSettings(), CONFIG)
    assert str(quantised.tensors["r"].format) == "int8"
    assert np.abs(quantised.layers[1].segments[0].weights).max() > 64
