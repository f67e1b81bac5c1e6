"""Equalised graphs compute the same, with ranges that are alike."""

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.equalise import equalise
from narrows.sw.quantize.evaluate import evaluate
from onnx import helper

RNG = np.random.default_rng(11)
SPREAD = 4.0 ** RNG.uniform(-2, 2, 8)


def weights(*shape, rows=1.0):
    return (RNG.normal(size=shape) * np.reshape(rows, (-1, *[1] * (len(shape) - 1)))).astype(np.float32)


def conv(source, weight, output, **attributes):
    return helper.make_node("Conv", [source, weight], [output], name=f"conv_{output}", **attributes)


def node(kind, *inputs, output, **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


@pytest.fixture
def graph(onnx_model):
    """A stem of uneven channels, read by a depthwise layer, whose result meets the stem again before a pooled head."""
    nodes = [
        conv("x", "stem", "a"),
        node("Relu", "a", output="b"),
        conv("b", "depthwise", "c", group=8, pads=[1, 1, 1, 1]),
        node("Relu", "c", output="d"),
        conv("d", "point", "e"),
        node("Add", "e", "b", output="f"),
        node("Relu", "f", output="g"),
        node("GlobalAveragePool", "g", output="h"),
        conv("h", "head", "y"),
    ]
    constants = {
        "stem": weights(8, 3, 1, 1, rows=SPREAD),
        "depthwise": weights(8, 1, 3, 3, rows=1 / SPREAD),
        "point": weights(8, 8, 1, 1),
        "head": weights(4, 8, 1, 1),
    }
    return lower(load_model(onnx_model(nodes, (1, 3, 6, 6), constants)))


def test_the_same_function(graph):
    x = RNG.normal(size=(5, 3, 6, 6))
    changed = equalise(graph, x)
    name = graph.outputs[0].tensor
    expected = evaluate(graph, x)[name]
    np.testing.assert_allclose(evaluate(changed, x)[name], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert any((old.bias != new.bias).any() or old.terms[0].weights.tobytes() != new.terms[0].weights.tobytes()
               for old, new in zip(graph.layers, changed.layers, strict=True))  # fmt: skip


def test_channels_reach_as_far_as_the_weights_that_read_them(graph):
    x = RNG.normal(size=(5, 3, 6, 6))
    changed = equalise(graph, x)
    values = evaluate(changed, x)
    for name in {term.source for layer in changed.layers if isinstance(layer, Mac) for term in layer.terms}:
        if name == changed.input.tensor or values[name].shape[2:] == (1, 1):  # averages follow what they are of
            continue
        reach = np.abs(values[name]).max(axis=(0, 2, 3))
        readers = [
            term for layer in changed.layers if isinstance(layer, Mac) for term in layer.terms if term.source == name
        ]
        dense = [np.abs(term.weights).max(axis=(0, 2, 3)) for term in readers if not term.depthwise]
        if dense:
            largest = np.max(dense, axis=0)
            np.testing.assert_allclose(reach / largest, (reach / largest)[0], rtol=1e-3)


def test_averages_stay_averages(graph):
    changed = equalise(graph, RNG.normal(size=(5, 3, 6, 6)))
    for old, new in zip(graph.layers, changed.layers, strict=True):
        if isinstance(old, Mac) and isinstance(new, Mac) and all(term.constant for term in old.terms):
            np.testing.assert_array_equal(new.terms[0].weights, old.terms[0].weights)


def test_clamped_tensors_are_left_alone(onnx_model):
    nodes = [conv("x", "stem", "a"), node("Clip", "a", "low", "high", output="b"), conv("b", "head", "y")]
    constants = {
        "stem": weights(8, 3, 1, 1, rows=SPREAD),
        "head": weights(4, 8, 1, 1),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
    }
    graph = lower(load_model(onnx_model(nodes, (1, 3, 6, 6), constants)))
    changed = equalise(graph, RNG.normal(size=(5, 3, 6, 6)))
    for old, new in zip(graph.layers, changed.layers, strict=True):
        assert isinstance(old, Mac) and isinstance(new, Mac)
        np.testing.assert_array_equal(new.terms[0].weights, old.terms[0].weights)


@pytest.mark.parametrize("depthwise", [True, False])
def test_channels_that_are_nearly_dead_keep_biases_that_fit(depthwise, onnx_model):
    x = RNG.normal(size=(20, 3, 6, 6)).astype(np.float32)
    stem = weights(8, 3, 1, 1)
    bias = np.zeros(8, np.float32)
    sums = np.einsum("nchw,c->nhw", x, stem[0, :, 0, 0])
    stem[0] *= 1 / np.abs(sums).max()
    bias[0] = 1e-6 - np.einsum("nchw,c->nhw", x, stem[0, :, 0, 0]).max()
    second = conv("b", "second", "c", group=8 if depthwise else 1, pads=[1, 1, 1, 1])
    nodes = [helper.make_node("Conv", ["x", "stem", "bias"], ["a"], name="stem"), node("Relu", "a", output="b"), second]
    nodes += [node("Relu", "c", output="d"), conv("d", "head", "y")]
    constants = {"stem": stem, "bias": bias, "head": weights(4, 8, 1, 1)}
    constants["second"] = weights(8, 1 if depthwise else 8, 3, 3)
    graph = load_model(onnx_model(nodes, (1, 3, 6, 6), constants))
    config = AcceleratorConfig(acc_bits=24, bias_bits=16, rescale_bits=8, planes=3)
    quantise(graph, x, QuantSettings(weights="int8", acts="int8", equalise=True), config)
