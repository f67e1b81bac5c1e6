"""Attention, Softmax and normalisation in the middle: layers give what onnxruntime gives, integers come close to it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from attention_cases import ATTENTION_CASES, NORMALISATION_CASES, SOFTMAX_CASES
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime.samples import run_samples
from narrows.sw.runtime.tensors import prepare_input, restore_outputs
from operator_cases import node

CASES = {**ATTENTION_CASES, **NORMALISATION_CASES, **{f"softmax, {k}": case for k, case in SOFTMAX_CASES.items()}}
CONFIG = AcceleratorConfig(
    rows=4,
    columns=4,
    lanes=8,
    acc_bits=32,
    rescale_bits=8,
    planes=3,
    tables=8,
    dynamic=1,
    max_pool=1,
    act_words=8192,
    weight_words=4096,
    param_words=1024,
    blocks=1024,
    taps=512,
    instructions=128,
)


def model(onnx_model, name: str):
    nodes, shape, constants = CASES[name]
    used = {operand for each in nodes for operand in each.input}
    given = {key: value for key, value in constants.items() if key in used}
    return onnx_model(nodes, shape, given, opset=17), shape


@pytest.mark.parametrize("name", CASES)
def test_layers_give_what_onnxruntime_gives(name: str, onnx_model, run_onnx) -> None:
    path, shape = model(onnx_model, name)
    graph = lower(load_model(path))
    assert not graph.notes
    x = np.random.default_rng(0).normal(size=(3, *shape[1:])).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_integers_come_close_and_are_the_same_on_the_isa_model(name: str, onnx_model, run_onnx) -> None:
    path, shape = model(onnx_model, name)
    x = np.random.default_rng(1).normal(size=(16, *shape[1:])).astype(np.float32)
    graph = quantise(load_model(path), x, QuantSettings(weights="int8", acts="int8"), CONFIG)
    program = compile_graph(graph, CONFIG)
    levels = prepare_input(program.graph, x)
    golden = GoldenModel(program.graph, CONFIG).run(levels)
    (values,) = restore_outputs(program.graph, golden).values()
    expected = run_onnx(path, x)
    noise = np.square(values.reshape(expected.shape) - expected).mean()
    assert 10 * np.log10(np.square(expected).mean() / noise) > 25
    run = asyncio.run(run_samples(IsaTransport(CONFIG), program, levels[:1], dump_layers=1))
    for tensor, found in run.dumps.items():
        np.testing.assert_array_equal(found, golden[tensor][:1])


@pytest.mark.parametrize(("kind", "opset"), [("GroupNormalization", 21), ("RMSNormalization", 23)])
def test_normalisations_of_late_opsets_are_what_they_say(kind: str, opset: int, onnx_model) -> None:
    rng = np.random.default_rng(5)
    groups, shape = 2, (1, 6, 4, 5)
    count = shape[-1] if kind == "RMSNormalization" else shape[1]
    constants = {"w": rng.normal(size=(6, 6, 1, 1)), "g": rng.normal(1, 0.2, count), "h": rng.normal(size=count)}
    constants = {name: value.astype(np.float32) for name, value in constants.items()}
    inner = [node(kind, "a", "g", "h", output="n", num_groups=groups)]
    if kind == "RMSNormalization":
        inner = [node(kind, "a", "g", output="n", axis=-1)]
        del constants["h"]
    nodes = [node("Conv", "x", "w", output="a"), *inner, node("Conv", "n", "w")]
    graph = lower(load_model(onnx_model(nodes, shape, constants, opset=opset)))
    x = rng.normal(size=(2, *shape[1:])).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    kernel = constants["w"][:, :, 0, 0].astype(np.float64)
    a = np.einsum("oc,nchw->nohw", kernel, x)
    if kind == "RMSNormalization":
        n = a / np.sqrt(np.square(a).mean(axis=-1, keepdims=True) + 1e-5) * constants["g"]
    else:
        parts = a.reshape(len(a), groups, -1)
        parts = (parts - parts.mean(axis=2, keepdims=True)) / np.sqrt(parts.var(axis=2, keepdims=True) + 1e-5)
        gain, shift = (constants[name][:, np.newaxis, np.newaxis] for name in "gh")
        n = parts.reshape(a.shape) * gain + shift
    np.testing.assert_allclose(values, np.einsum("oc,nchw->nohw", kernel, n), rtol=1e-4, atol=1e-4)


def test_a_softmax_at_too_many_pixels_is_refused(onnx_model) -> None:
    """Exchanging 6 channels with 1,024 pixels would take a tensor of 1,024 x 1,024 ones and zeros."""
    nodes = [node("Conv", "x", "w", output="a"), node("Softmax", "a", output="s", axis=1), node("Conv", "s", "w")]
    kernel = np.eye(6, dtype=np.float32).reshape(6, 6, 1, 1)
    with pytest.raises(UnsupportedOperator, match=r"1024 pixels, too many to exchange with 6 channels"):
        load_model(onnx_model(nodes, (1, 6, 32, 32), {"w": kernel}))


@pytest.mark.parametrize("opset", [12, 13])
def test_a_softmax_hides_what_a_mask_of_minus_infinity_hides(opset: int, onnx_model, run_onnx) -> None:
    """Up to opset 12 an axis stands for all from there on, which of a matrix is the same."""
    rng = np.random.default_rng(7)
    mask = np.triu(np.full((6, 6), -np.inf, dtype=np.float32), 1)
    constants = {"w": rng.normal(size=(6, 6)).astype(np.float32), "m": mask}
    nodes = [
        node("MatMul", "x", "w", output="a"),
        node("Add", "a", "m", output="s"),
        node("Softmax", "s", output="p", axis=2 if opset == 12 else -1),
        node("MatMul", "p", "w"),
    ]
    path = onnx_model(nodes, (1, 6, 6), constants, opset=opset)
    graph = lower(load_model(path))
    x = rng.normal(size=(3, 6, 6)).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-4, atol=1e-4)
