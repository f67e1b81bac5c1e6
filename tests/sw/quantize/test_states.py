"""Float models with states in narrow integers: they follow the float stream."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import import_model
from narrows.sw.graph import Graph
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime import prepare_input, restore_outputs
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(29)
CONFIG = AcceleratorConfig(acc_bits=24, rescale_bits=8, tables=2)


@pytest.fixture
def elman(tmp_path) -> Graph:
    """An Elman cell of 12 units over a sequence of 5 numbers a frame."""
    import onnx

    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "w"], ["a"], "in"),
        node("MatMul", ["h", "u"], ["b"], "again"),
        node("Add", ["a", "b"], ["s"], "sum"),
        node("Tanh", ["s"], ["h_next"], "tanh"),
        node("MatMul", ["h_next", "v"], ["y"], "out"),
    ]
    weights = {"w": (5, 12), "u": (12, 12), "v": (12, 3)}
    graph = helper.make_graph(
        nodes,
        "elman",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, size)) for name, size in (("x", 5), ("h", 12))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "h_next")],
        [
            numpy_helper.from_array(RNG.normal(0, 1.2 / np.sqrt(shape[0]), shape).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    path = tmp_path / "elman.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return import_model(path, states={"h": "h_next"}).graph


@pytest.mark.parametrize(("bits", "least"), [("8", 26.0), ("6", 16.0)])
def test_integers_follow_the_float_stream(elman: Graph, bits: str, least: float) -> None:
    frames = RNG.normal(size=(200, 5))
    settings = QuantSettings(weights=f"int{bits}", acts=f"int{bits}")
    quantised = quantise(elman, frames[:100], settings, CONFIG)
    (state,) = quantised.states
    tensor, update = (quantised.tensors[name] for name in (state.tensor, state.update))
    assert (tensor.format, tensor.scale, tensor.zero) == (update.format, update.scale, update.zero)
    levels = GoldenModel(quantised, CONFIG).run(prepare_input(quantised, frames), quantised.output_tensors)
    found = restore_outputs(quantised, levels)["y"]
    wanted = given_outputs(elman.outputs, evaluate(lower(elman), frames))["y"]
    noise = 10 * np.log10(wanted.var() / np.square(found - wanted).mean())
    assert noise > least, f"{noise:.1f} dB"


def test_a_stream_begins_anew_with_every_run(elman: Graph) -> None:
    frames = RNG.normal(size=(20, 5))
    quantised = quantise(elman, frames, QuantSettings(weights="int8", acts="int8"), CONFIG)
    golden, levels = GoldenModel(quantised, CONFIG), prepare_input(quantised, frames)
    whole, begin = golden.run(levels), golden.run(levels[:7])
    for name, values in begin.items():
        np.testing.assert_array_equal(values, whole[name][:7])
    assert golden.run(levels[:0])["y"].shape[0] == 0
