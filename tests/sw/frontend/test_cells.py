"""Recurrent cells of plain operators: states and products of tensors together, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName
from narrows.sw.frontend import import_model
from narrows.sw.listener import Quiet
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.reference import judge
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.verify import compare_engines
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(37)
UNITS = 8
CONFIG = AcceleratorConfig(
    rows=2, columns=4, lanes=8, acc_bits=28, rescale_bits=8, planes=3, tables=8, dynamic=1, blocks=512
)


def gate(name: str, function: str) -> list[onnx.NodeProto]:
    node = helper.make_node
    return [
        node("MatMul", ["x", f"w{name}"], [f"a{name}"], f"in_{name}"),
        node("MatMul", ["h", f"u{name}"], [f"b{name}"], f"again_{name}"),
        node("Add", [f"a{name}", f"b{name}"], [f"s{name}"], f"sum_{name}"),
        node(function, [f"s{name}"], [name], f"gate_{name}"),
    ]


@pytest.fixture
def lstm(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An LSTM cell over five numbers a frame: input, forget and output gates, a candidate, two states."""
    node = helper.make_node
    nodes = [
        *gate("i", "Sigmoid"),
        *gate("f", "Sigmoid"),
        *gate("o", "Sigmoid"),
        *gate("g", "Tanh"),
        node("Mul", ["f", "c"], ["kept"], "keep"),
        node("Mul", ["i", "g"], ["new"], "take"),
        node("Add", ["kept", "new"], ["c_next"], "cell"),
        node("Tanh", ["c_next"], ["squashed"], "squash"),
        node("Mul", ["o", "squashed"], ["h_next"], "show"),
        node("MatMul", ["h_next", "v"], ["y"], "out"),
    ]
    shapes = {f"w{name}": (5, UNITS) for name in "ifog"} | {f"u{name}": (UNITS, UNITS) for name in "ifog"}
    shapes["v"] = (UNITS, 3)
    inputs = {"x": 5, "h": UNITS, "c": UNITS}
    graph = helper.make_graph(
        nodes,
        "lstm",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, size)) for name, size in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "h_next", "c_next")],
        [
            numpy_helper.from_array(RNG.normal(0, 1.5 / np.sqrt(shape[0]), shape).astype(np.float32), name)
            for name, shape in shapes.items()
        ],
    )
    path = tmp_path / "lstm.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path, {"h": "h_next", "c": "c_next"}


def by_onnxruntime(path: Path, frames: NDArray, states: dict[str, str]) -> NDArray:
    session = onnxruntime.InferenceSession(path)
    names = [each.name for each in session.get_outputs()]
    held, given = {name: np.zeros((1, UNITS), np.float32) for name in states}, []
    for frame in frames.astype(np.float32):
        found = dict(zip(names, session.run(names, {"x": frame[np.newaxis], **held}), strict=True))
        held = {name: found[output] for name, output in states.items()}
        given.append(found["y"])
    return np.concatenate(given)


def test_an_lstm_cell_is_onnxruntimes_and_runs_on_a_core_with_dynamic_weights(lstm) -> None:
    path, states = lstm
    frames = RNG.normal(size=(120, 5))
    imported = import_model(path, states=states)
    wanted = by_onnxruntime(path, frames, states)
    floats = given_outputs(imported.graph.outputs, evaluate(lower(imported.graph), frames))["y"]
    np.testing.assert_allclose(floats, wanted, atol=1e-4)
    assert judge(path, imported, frames, states=states).runtime.startswith("onnxruntime")
    quantised = quantise(imported.graph, frames, QuantSettings(weights="int8", acts="int8"), CONFIG)
    levels = prepare_input(quantised, frames)
    found = restore_outputs(quantised, GoldenModel(quantised, CONFIG).run(levels))["y"]
    noise = 10 * np.log10(wanted.var() / np.square(found - wanted).mean())
    assert noise > 24, f"{noise:.1f} dB"
    program = compile_graph(quantised, CONFIG)
    assert compare_engines(program, levels[:5], [EngineName.ISA], bar=Quiet().progress).mismatches == []
