"""Borders: padding by name, with dilation, and by a node of its own, against onnxruntime with the pads written out."""

import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node

RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


def written_out(size, kernel, stride, dilation, upper):
    """Pads of one axis by the definition: as many outputs as strides begin in the input."""
    total = max(0, (math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return (total // 2, total - total // 2)[:: 1 if upper else -1]


def found(path, x):
    graph = lower(load_model(path))
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    return values, graph


@RELAXED
@given(
    kernel=PAIR,
    stride=PAIR,
    dilation=PAIR,
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    upper=st.booleans(),
    seed=st.integers(0, 99),
)
def test_same_padding(kernel, stride, dilation, size, upper, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(2, 3, *kernel)).astype(np.float32)
    x = rng.normal(size=(2, 3, *size)).astype(np.float32)
    window = {"strides": stride, "dilations": dilation}
    mode = "SAME_UPPER" if upper else "SAME_LOWER"
    named = onnx_model([node("Conv", "x", "w", auto_pad=mode, **window)], (1, 3, *size), {"w": weights})
    values, _ = found(named, x)
    sides = [written_out(*axis, upper) for axis in zip(size, kernel, stride, dilation, strict=True)]
    pads = [side[end] for end in (0, 1) for side in sides]
    explicit = onnx_model([node("Conv", "x", "w", pads=pads, **window)], (1, 3, *size), {"w": weights})
    np.testing.assert_allclose(values, run_onnx(explicit, x), rtol=1e-5, atol=1e-5)


@RELAXED
@given(
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    own=st.tuples(*[st.integers(0, 2)] * 4),
    stride=PAIR,
    clamp=st.booleans(),
    average=st.booleans(),
    seed=st.integers(0, 99),
)
def test_padding_by_a_node(pads, own, stride, clamp, average, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    nodes = [node("Pad", "x", "p", output="q")]
    nodes += [node("Relu", "q", output="r")] if clamp else []
    source = nodes[-1].output[0]
    if average:
        nodes.append(node("AveragePool", source, kernel_shape=[3, 3], pads=own, strides=stride, count_include_pad=1))
    else:
        nodes.append(node("Conv", source, "w", pads=own, strides=stride))
    top, left, bottom, right = pads
    constants = {"p": np.array([0, 0, top, left, 0, 0, bottom, right])}
    if not average:
        constants["w"] = rng.normal(size=(2, 3, 3, 3)).astype(np.float32)
    path = onnx_model(nodes, (1, 3, 6, 5), constants)
    x = rng.normal(size=(2, 3, 6, 5)).astype(np.float32)
    values, graph = found(path, x)
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-5, atol=1e-5)
    macs = [layer for layer in graph.layers if isinstance(layer, Mac)]
    assert len(macs) == 1 + clamp, "the border costs no layer"


def test_a_border_that_others_read_stays(onnx_model, run_onnx):
    weights = np.random.default_rng(1).normal(size=(3, 3, 3, 3)).astype(np.float32)
    nodes = [
        node("Pad", "x", "p", output="q"),
        node("Conv", "q", "w", output="c", pads=[1, 1, 1, 1]),
        node("MaxPool", "q", output="m", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Add", "c", "m"),
    ]
    path = onnx_model(nodes, (1, 3, 6, 5), {"w": weights, "p": np.array([0, 0, 1, 0, 0, 0, 2, 1])})
    x = np.random.default_rng(2).normal(size=(2, 3, 6, 5)).astype(np.float32)
    np.testing.assert_allclose(found(path, x)[0], run_onnx(path, x), rtol=1e-5, atol=1e-5)
