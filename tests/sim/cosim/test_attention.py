"""Attention with two heads on a simulated core: every tensor is what the golden and the instruction-set model say."""

from __future__ import annotations

import numpy as np
import onnx
from attention_cases import ATTENTION_CASES
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName
from narrows.sw.frontend import load_model
from narrows.sw.listener import Quiet
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime.tensors import prepare_input
from narrows.sw.verify import compare_engines
from onnx import helper, numpy_helper

CONFIG = AcceleratorConfig(
    rows=2,
    columns=4,
    lanes=4,
    rescalers=2,
    acc_bits=26,
    planes=3,
    tables=3,
    dynamic=1,
    act_words=2048,
    weight_words=1024,
    param_words=512,
    blocks=1024,
    instructions=64,
)


def test_masked_attention_is_the_same_in_verilog(tmp_path) -> None:
    nodes, shape, constants = ATTENTION_CASES["masked"]
    used = {operand for each in nodes for operand in each.input}
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    x = np.random.default_rng(3).normal(size=(16, *shape[1:])).astype(np.float32)
    quantised = quantise(load_model(tmp_path / "m.onnx"), x, QuantSettings(weights="int8", acts="int8"), CONFIG)
    program = compile_graph(quantised, CONFIG)
    levels = prepare_input(program.graph, x[:2])
    found = compare_engines(program, levels, [EngineName.ISA, EngineName.RTL], bar=Quiet().progress)
    assert found.mismatches == []
