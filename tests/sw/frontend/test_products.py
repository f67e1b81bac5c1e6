"""Products of two tensors: the imported graph gives what onnxruntime gives, and integers come close to it."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.costs.cells import estimate_cells
from narrows.sw.costs.estimate import estimate
from narrows.sw.costs.propose import smallest
from narrows.sw.costs.work import layer_macs, useful_macs
from narrows.sw.errors import InputError, UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.layers import Product
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.attribution import leftover
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.prepare import prepared
from narrows.sw.runtime.samples import run_samples
from narrows.sw.runtime.tensors import prepare_input, restore_outputs
from operator_cases import node

CONFIG = AcceleratorConfig(
    rows=4, columns=4, lanes=8, acc_bits=32, rescale_bits=8, planes=3, tables=3, dynamic=1, act_words=8192, blocks=512
)
SHAPE = (1, 6, 4, 5)


def conv(name: str, output: str, source: str = "x"):
    return node("Conv", source, name, output=output)


GATE = [conv("w", "a"), conv("v", "b"), node("Sigmoid", "b", output="s")]
SQUEEZE = [
    conv("w", "a"),
    node("GlobalAveragePool", "a", output="g"),
    conv("v", "h", "g"),
    node("Sigmoid", "h", output="s"),
]
AWAY = [node("Add", "h", "h", output="hh"), node("Exp", "hh", output="e"), node("Div", "a", "e")]
TOKENS = [
    conv("w", "a"),
    conv("v", "b"),
    *(node("Reshape", name, "three", output=f"{name}3") for name in "ab"),  # (1, channels, tokens)
    node("Transpose", "a3", output="at", perm=[0, 2, 1]),
]
MODELS = {
    "gate": ([*GATE, node("Mul", "a", "s")], False),
    "gate, swapped": ([*GATE, node("Mul", "s", "a")], False),
    "squeeze and excitation": ([*SQUEEZE, node("Mul", "a", "s")], False),
    "excitation first": ([*SQUEEZE, node("Mul", "s", "a")], False),
    "gate behind a ReLU, then a convolution": (
        [
            *GATE,
            node("Relu", "a", output="r"),
            node("Mul", "r", "s", output="p"),
            conv("w", "c", "p"),
            node("Relu", "c"),
        ],
        False,
    ),
    "clamped": ([*GATE, node("Mul", "a", "s", output="p"), node("Relu", "p")], False),
    "last axis": (
        [
            *SQUEEZE,
            *(node("Transpose", name, output=f"{name}t", perm=[0, 2, 3, 1]) for name in "as"),
            node("Mul", "at", "st"),
        ],
        False,
    ),
    "one number for each pixel": (
        [conv("w", "a"), node("ReduceMean", "a", output="m", axes=[1]), node("Mul", "a", "m")],
        False,
    ),
    "quotient": ([conv("w", "a"), conv("v", "b"), node("HardSigmoid", "b", output="h"), *AWAY], False),
    "enlarged, several pixels of one": (
        [
            conv("w", "a"),
            node("Resize", "a", "", "twice", output="e", mode="nearest", nearest_mode="floor"),
            node("GlobalAveragePool", "a", output="g"),
            conv("v", "h", "g"),
            node("Sigmoid", "h", output="s"),
            node("Mul", "e", "s", output="p"),
            node("Conv", "p", "w"),
        ],
        False,
    ),
    "scores": ([*TOKENS, node("MatMul", "at", "b3")], True),
    "sums over pixels": ([*TOKENS, node("MatMul", "a3", "at", output="y")], True),
    "scores of the input": (
        [
            conv("w", "a"),
            node("Reshape", "a", "three", output="a3"),
            node("Reshape", "x", "three", output="x3"),
            node("Transpose", "x3", output="xt", perm=[0, 2, 1]),
            node("MatMul", "xt", "a3"),
        ],
        True,
    ),
}


def model(onnx_model, name: str):
    rng = np.random.default_rng(3)
    constants = {key: rng.normal(0, 0.5, (6, 6, 1, 1)).astype(np.float32) for key in "wv"}
    constants["three"] = np.array([0, 6, -1])
    constants["twice"] = np.array([1, 1, 2, 2], dtype=np.float32)
    nodes, matrix = MODELS[name]
    used = {operand for each in nodes for operand in each.input}
    given = {key: value for key, value in constants.items() if key in used}
    return onnx_model(nodes, SHAPE, given, opset=17), matrix


@pytest.mark.parametrize("name", MODELS)
def test_imported_products_are_those_of_onnxruntime(name: str, onnx_model, run_onnx) -> None:
    path, matrix = model(onnx_model, name)
    graph = lower(load_model(path))
    assert {layer.matrix for layer in graph.layers if isinstance(layer, Product)} == {matrix}
    x = np.random.default_rng(0).normal(size=(3, *SHAPE[1:])).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    # the file says one sample at a time where a Reshape names its shape
    expected = np.concatenate([run_onnx(path, sample[np.newaxis]) for sample in x])
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_quantised_products_come_close_and_are_the_same_on_the_isa_model(name: str, onnx_model, run_onnx) -> None:
    path, _ = model(onnx_model, name)
    x = np.random.default_rng(1).normal(size=(40, *SHAPE[1:])).astype(np.float32)
    settings = QuantSettings(weights="int8", acts="int8")
    graph = quantise(load_model(path), x, settings, CONFIG)
    program = compile_graph(graph, CONFIG)
    levels = prepare_input(program.graph, x)
    golden = GoldenModel(program.graph, CONFIG).run(levels)
    (values,) = restore_outputs(program.graph, golden).values()
    expected = np.concatenate([run_onnx(path, sample[np.newaxis]) for sample in x])
    noise = np.square(values.reshape(expected.shape) - expected).mean()
    assert 10 * np.log10(np.square(expected).mean() / noise) > 30
    run = asyncio.run(run_samples(IsaTransport(CONFIG), program, levels[:2], dump_layers=2))
    for tensor, found in run.dumps.items():
        np.testing.assert_array_equal(found, golden[tensor][:2])


@pytest.mark.parametrize("name", ["gate", "squeeze and excitation", "scores"])
def test_reports_know_products(name: str, onnx_model) -> None:
    """What a program's noise is attributed to adds up to what the golden model has; the sketch is as long as it."""
    path, matrix = model(onnx_model, name)
    x = np.random.default_rng(2).normal(size=(16, *SHAPE[1:])).astype(np.float32)
    settings, graph = QuantSettings(weights="int8", acts="int8"), load_model(path)
    ready = prepared(graph, x, settings)
    quantised = quantise(graph, x, settings, CONFIG)
    (floats,) = given_outputs(ready.outputs, evaluate(ready, x)).values()
    (values,) = restore_outputs(quantised, GoldenModel(quantised, CONFIG).run(prepare_input(quantised, x))).values()
    noise = np.square(values - floats).mean() / np.square(floats).mean()
    assert leftover(quantised, x, ready) == pytest.approx(noise, rel=0.05)
    program = compile_graph(quantised, CONFIG)
    found = estimate(ready, CONFIG, settings, source=quantised.tensors[quantised.input.tensor].format, only=True)
    assert found.program is not None
    assert len(found.program.instructions) == len(program.instructions)
    macs = 20 * 20 * 6 if matrix else 20 * 6
    assert layer_macs(quantised)[next(each.name for each in quantised.layers if each.products)] == macs
    assert useful_macs(ready) == sum(layer_macs(quantised).values())


def test_a_core_is_proposed_with_dynamic_weights(onnx_model) -> None:
    path, _ = model(onnx_model, "squeeze and excitation")
    found = smallest(lower(load_model(path)), lambda core: QuantSettings(), device="ecp5-25k")
    assert found is not None
    assert found.config.dynamic == 1
    plain = dataclasses.replace(found.config, dynamic=0)
    assert found.cells.luts - estimate_cells(plain).luts > plain.weight_word_bits


def test_products_of_shapes_that_have_no_layer_are_refused(onnx_model) -> None:
    constants = {key: np.eye(6, dtype=np.float32).reshape(6, 6, 1, 1) for key in "wv"}
    nodes = [  # sums over columns, of lines of all channels
        conv("w", "a"),
        conv("v", "b"),
        node("Reshape", "a", "rows", output="ar"),
        node("Reshape", "b", "rows", output="br"),
        node("Transpose", "br", output="bc", perm=[0, 2, 1]),
        node("MatMul", "ar", "bc"),
    ]
    with pytest.raises(UnsupportedOperator, match=r"keep each factor's rows and columns apart"):
        load_model(onnx_model(nodes, SHAPE, constants | {"rows": np.array([1, 24, 5])}, opset=18))
    many = [
        *TOKENS,
        node("Reshape", "at", "apart", output="ah"),
        node("Reshape", "b3", "other", output="bh"),
        node("MatMul", "ah", "bh"),
    ]
    shapes = {"three": np.array([0, 6, -1]), "apart": np.array([120, 1, 1]), "other": np.array([120, 1, 1])}
    with pytest.raises(UnsupportedOperator, match=r"it multiplies 120 pairs of matrices, 64 at most: use fewer heads"):
        load_model(onnx_model(many, SHAPE, constants | shapes, opset=18))


def test_training_does_not_know_products(onnx_model) -> None:
    pytest.importorskip("torch")
    from narrows.sw.quantize.train.settings import TrainSettings
    from narrows.sw.quantize.train.start import network_of

    path, _ = model(onnx_model, "squeeze and excitation")
    x = np.random.default_rng(0).normal(size=(8, *SHAPE[1:])).astype(np.float32)
    with pytest.raises(InputError, match=r"multiplies two tensors .*: compile it instead"):
        network_of(load_model(path), x, QuantSettings(), CONFIG, TrainSettings())


def test_a_product_on_a_trained_grid_takes_its_steps(onnx_model) -> None:
    rng, nodes = np.random.default_rng(0), []
    constants = {key: rng.normal(0, 0.5, (6, 6, 1, 1)).astype(np.float32) for key in "wv"}
    constants |= {"step": np.float32(0.05), "zero": np.int8(3)}

    def rounded(value: str, result: str) -> None:
        nodes.append(node("QuantizeLinear", value, "step", "zero", output=f"{result}1"))
        nodes.append(node("DequantizeLinear", f"{result}1", "step", "zero", output=result))

    rounded("x", "xq")
    for operator, result in ((conv("w", "a0", "xq"), "a"), (conv("v", "b0", "xq"), "b")):
        nodes.append(operator)
        rounded(f"{result}0", result)
    nodes.append(node("Mul", "a", "b", output="y0"))
    rounded("y0", "y")
    x = rng.normal(size=(40, *SHAPE[1:])).astype(np.float32)
    config = dataclasses.replace(CONFIG, rescale_bits=16)
    graph = quantise(load_model(onnx_model(nodes, SHAPE, constants, opset=18)), x, QuantSettings(), config)
    assert [len(layer.products) for layer in graph.layers] == [0, 0, 1]
    levels = GoldenModel(graph, config).run(prepare_input(graph, x))
    first, second, output = (
        graph.tensors[name].scale * (levels[name] - graph.tensors[name].zero) / 0.05
        for name in (*graph.layers[-1].sources, graph.layers[-1].output)
    )
    exact = np.clip(np.rint(first * second * 0.05), -131, 124)
    assert np.abs(output - exact).max() < 1.5
    assert (np.abs(output - exact) < 0.5).mean() > 0.98
