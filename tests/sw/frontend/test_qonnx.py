"""QONNX models keep scales, widths and integers: the golden model computes what the dialect's own executor does."""

import os
from pathlib import Path

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantised import MacLayer
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime import prepare_input, restore_outputs
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship
RNG = np.random.default_rng(12)
DOMAIN = "qonnx.custom_op.general"
CONFIG = AcceleratorConfig(acc_bits=24, rescale_bits=16, planes=5)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def node(kind, *inputs, output="y", **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


def quant(source, scale, zero, bits, output, **attributes):
    values = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
    return helper.make_node(
        "Quant", [source, scale, zero, bits], [output], name=f"Quant_{output}", domain=DOMAIN, **values
    )


def bipolar(source, scale, output):
    return helper.make_node("BipolarQuant", [source, scale], [output], name=f"Bipolar_{output}", domain=DOMAIN)


def scalar(value):
    return np.array(value, dtype=np.float32)


BITS = {f"b{bits}": scalar(bits) for bits in (2, 3, 4, 8)} | {"z": scalar(0.0)}
BATCHNORM = {"g": normal(4), "h": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.5}

CASES = {
    "conv with a scale by channel": (
        [
            quant("x", "sx", "z", "b8", "q", narrow=1),
            quant("w", "sw", "z", "b3", "wq", narrow=1),
            node("Conv", "q", "wq", "b", output="c", pads=[1, 1, 1, 1]),
            node("BatchNormalization", "c", "g", "h", "m", "v", output="n"),
            node("Relu", "n", output="r"),
            quant("r", "sr", "z", "b3", "y", signed=0),
        ],
        (1, 3, 6, 5),
        {"w": normal(4, 3, 3, 3), "b": normal(4), "sw": np.abs(normal(4, 1, 1, 1)) + 0.2, "sx": scalar(0.02)}
        | {"sr": scalar(0.31)}
        | BATCHNORM,
    ),
    "asymmetric activations": (
        [
            quant("x", "sx", "z3", "b4", "q", signed=0),
            quant("w", "sw", "z", "b4", "wq"),
            node("Conv", "q", "wq", output="c", pads=[1, 1, 1, 1], strides=[2, 2]),
            quant("c", "sr", "z-2", "b4", "y"),
        ],
        (1, 3, 6, 5),
        {"w": normal(4, 3, 3, 3), "sw": scalar(0.31), "sx": scalar(0.21), "sr": scalar(0.9137)}
        | {"z3": scalar(3.0), "z-2": scalar(-2.0)},
    ),
    "signs": (
        [
            bipolar("x", "one", "q"),
            bipolar("w", "half", "wq"),
            node("Conv", "q", "wq", output="c"),
            node("BatchNormalization", "c", "g", "h", "m", "v", output="n"),
            bipolar("n", "half", "s"),
            bipolar("u", "one", "uq"),
            node("Conv", "s", "uq", output="d"),
            bipolar("d", "one", "y"),
        ],
        (1, 3, 6, 5),
        {"w": normal(4, 3, 3, 3), "u": normal(5, 4, 1, 1), "one": scalar(1.0), "half": scalar(0.5)} | BATCHNORM,
    ),
    "normalised input": (
        [
            node("Mul", "x", "two", output="t"),
            node("Sub", "t", "one", output="u"),
            quant("u", "one", "z", "b2", "q", narrow=1),
            quant("w", "one", "z", "b2", "wq", narrow=1),
            node("Conv", "q", "wq", output="c"),
            quant("c", "sr", "z", "b4", "y"),
        ],
        (1, 3, 6, 5),
        {"w": normal(4, 3, 3, 3), "one": scalar(1.0), "two": scalar(2.0), "sr": scalar(2.13)},
    ),
    "maxima before and behind": (
        [
            quant("x", "sx", "z", "b4", "q"),
            quant("w", "sx", "z", "b4", "wq"),
            node("Conv", "q", "wq", output="c"),
            node("MaxPool", "c", output="p", kernel_shape=[2, 2]),
            quant("p", "sr", "z", "b4", "pq"),
            node("MaxPool", "pq", output="o", kernel_shape=[2, 1]),
            quant("o", "sr", "z", "b4", "y"),
        ],
        (1, 3, 7, 6),
        {"w": normal(4, 3, 3, 3), "sx": scalar(0.3), "sr": scalar(0.71)},
    ),
}


def run_qonnx(path, x):
    """First output, sample by sample."""
    model = ModelWrapper(str(path)).transform(InferShapes())
    name, output = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {name: s[np.newaxis].astype(np.float32)})[output] for s in x])


def run_kept(graph, x, config=CONFIG):
    return restore_outputs(graph, GoldenModel(graph, config).run(prepare_input(graph, x)))[graph.outputs[0].name]


@pytest.mark.parametrize("case", CASES)
def test_golden_model_computes_what_the_dialects_executor_computes(case, onnx_model):
    nodes, shape, constants = CASES[case]
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, shape, {k: v for k, v in (BITS | constants).items() if k in used})
    x = np.random.default_rng(3).normal(size=(20, *shape[1:])).astype(np.float32)
    graph = quantise(load_model(path), x, QuantSettings(), CONFIG)
    np.testing.assert_allclose(run_kept(graph, x), run_qonnx(path, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_float_evaluation_computes_what_the_dialects_executor_computes(case, onnx_model):
    nodes, shape, constants = CASES[case]
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, shape, {k: v for k, v in (BITS | constants).items() if k in used})
    graph = lower(load_model(path))
    x = np.random.default_rng(4).normal(size=(20, *shape[1:])).astype(np.float32)
    values = evaluate(graph, x)[graph.outputs[0].tensor]
    np.testing.assert_allclose(values, run_qonnx(path, x), rtol=1e-4, atol=1e-5)


def test_sums_half_way_between_levels_go_to_either(onnx_model):
    nodes = [
        quant("x", "one", "z", "b4", "q"),
        quant("w", "one", "z", "b2", "wq"),
        node("Conv", "q", "wq", output="c"),
        quant("c", "two", "z", "b4", "y"),
    ]
    constants = {"w": np.ones((1, 1, 1, 1), np.float32), "one": scalar(1.0), "two": scalar(2.0)}
    path = onnx_model(nodes, (1, 1, 1, 1), constants | {name: BITS[name] for name in ("b2", "b4", "z")})
    x = np.arange(-5, 6, dtype=np.float32).reshape(-1, 1, 1, 1)
    graph = quantise(load_model(path), x, QuantSettings(), CONFIG)
    assert run_qonnx(path, x).ravel().tolist() == [-4, -4, -4, -2, 0, 0, 0, 2, 4, 4, 4]
    # Ties to even are no straight line of steps: no rescaler has them.
    found = run_kept(graph, x).ravel()
    assert found[1::2].tolist() == [-4, -2, 0, 2, 4]
    assert (np.abs(found - x.ravel()) <= 1).all()


def test_trained_integers_are_the_weights(onnx_model):
    nodes, shape, constants = CASES["conv with a scale by channel"]
    constants = constants | {name: BITS[name] for name in ("b3", "b8", "z")}
    path = onnx_model(nodes, shape, constants)
    x = np.random.default_rng(3).normal(size=(20, *shape[1:])).astype(np.float32)
    graph = quantise(load_model(path), x, QuantSettings(weights="int8", acts="int8"), CONFIG)
    (layer,) = graph.layers
    assert isinstance(layer, MacLayer)
    integers = np.clip(np.rint(constants["w"] / constants["sw"]), -3, 3)
    integers *= np.sign(constants["g"])[:, np.newaxis, np.newaxis, np.newaxis]
    factor = layer.segments[0].weights / np.where(integers == 0, 1, integers)
    assert {int(value) for value in np.unique(factor[integers != 0])} <= {1, 2, 4, 8, 16}
    assert not layer.segments[0].weights[integers == 0].any()
    # three bits without a sign are stored around 0, where one digit holds them
    tensor = graph.tensors[layer.output]
    assert (tensor.low, tensor.high, tensor.zero) == (-4, 3, -4)
    assert CONFIG.digits.count(tensor.levels) == 1
    assert tensor.scale == pytest.approx(0.31)


REFUSED = {
    "scale of activations by channel": (
        [quant("x", "sw", "z", "b4", "q"), node("Relu", "q")],
        "operator Quant (node 'Quant_q') is not supported: its scale differs by channel: train with one scale for a "
        "tensor",
    ),
    "rounding mode": (
        [quant("x", "sx", "z", "b4", "q", rounding_mode="FLOOR"), node("Relu", "q")],
        "operator Quant (node 'Quant_q') is not supported: it rounds by FLOOR: train with rounding_mode ROUND",
    ),
    "wide activations": (
        [quant("x", "sx", "z", "b16", "q"), node("Relu", "q")],
        "operator Quant (node 'Quant_q') is not supported: activations may have at most 8 bits: train with fewer",
    ),
    "fractional zero point": (
        [quant("x", "sx", "z.5", "b4", "q"), node("Relu", "q")],
        "operator Quant (node 'Quant_q') is not supported: its zero point of 0.5 is no integer: train with one that is",
    ),
    "thresholds": (
        [
            helper.make_node("MultiThreshold", ["x", "t"], ["q"], name="the_thresholds", domain=DOMAIN),
            node("Relu", "q"),
        ],
        "operator MultiThreshold (node 'the_thresholds') is not supported: export before the conversion to "
        "thresholds, with Quant nodes",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_kept_is_refused(case, onnx_model):
    nodes, message = REFUSED[case]
    constants = BITS | {
        "sw": np.array([0.1, 0.2, 0.3], np.float32).reshape(1, 3, 1, 1),
        "sx": scalar(0.1),
        "b16": scalar(16),
        "z.5": scalar(0.5),
        "t": normal(3, 7),
    }
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, (1, 3, 5, 5), {k: v for k, v in constants.items() if k in used})
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(path)
    assert str(caught.value) == message


@pytest.mark.parametrize(("name", "bits"), [("TFC_1W1A", 11), ("TFC_1W2A", 12), ("TFC_2W2A", 11)])
def test_tfc_answers_like_its_float_evaluation(name, bits):
    path, data = SHARED / "models" / f"{name}.onnx", SHARED / "data" / "mnist.npz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    x = np.load(data)["x_test"][:500].reshape(-1, 1, 28, 28) / 255.0
    config = AcceleratorConfig(acc_bits=16, rescale_bits=8)
    model = load_model(path)
    graph = quantise(model, x[:50], QuantSettings(), config)
    assert max(layer.cert_bits for layer in graph.layers) == bits
    scores = run_kept(graph, x, config).reshape(len(x), -1)
    name = graph.outputs[0].tensor
    expected = evaluate(lower(model), x)[name].reshape(len(x), -1)
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.998


@pytest.fixture(scope="module")
def keywords():
    """The keyword-spotting model, its samples and reference predictions."""
    path, data = SHARED / "models" / "kws_w3a3_hls4mlfinn.onnx", SHARED / "data" / "kws_finn_w3a3_1000.npz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    archive = np.load(data)
    return load_model(path), archive["x_int8"] * float(archive["scale"]), archive["ref_pred"]


def test_keyword_spotting_gives_the_reference_predictions(keywords):
    model, x, predictions = keywords
    graph = quantise(model, x[:100], QuantSettings(), CONFIG)
    scores = run_kept(graph, x).reshape(len(x), -1)
    # Two samples have two equal sums on top; there the reference's order of float32 sums decided.
    best = scores == scores.max(axis=1, keepdims=True)
    assert best[np.arange(len(x)), predictions].all()
    assert np.flatnonzero(best.sum(axis=1) > 1).tolist() == [515, 886]


def test_keyword_spotting_computes_every_integer_of_the_trained_model(keywords):
    model, x, _ = keywords
    graph = quantise(model, x[:100], QuantSettings(), CONFIG)
    levels = GoldenModel(graph, CONFIG).run(prepare_input(graph, x))
    lowered = lower(model)
    values = lowered.grids[lowered.input.tensor].round(x.reshape(len(x), -1))
    for layer in lowered.layers:
        (term,) = layer.terms
        values = values @ term.weights.reshape(len(term.weights), -1).T + layer.bias
        tensor = graph.tensors[layer.output]
        if (grid := lowered.grids.get(layer.output)) is not None:
            integers = grid.integers(np.maximum(values, layer.low))
            np.testing.assert_array_equal(levels[layer.output][:, :, 0, 0] - tensor.zero, integers - grid.zero)
            values = grid.round(np.maximum(values, layer.low))
        else:
            scores = levels[layer.output][:, :, 0, 0] * tensor.scale
            np.testing.assert_allclose(scores, values, rtol=1e-9, atol=1e-9)
