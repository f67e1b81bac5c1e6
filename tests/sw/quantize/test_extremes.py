"""Sums of tensors, and channels of tensors, of very different sizes: integers stay close to the float model."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.prepare import equalised_unasked
from narrows.sw.runtime.tensors import prepare_input, restore_outputs
from onnx import helper

CHANNELS = 6
EIGHT = AcceleratorConfig(acc_bits=28, rescale_bits=8, tables=1), QuantSettings(weights="int8", acts="int8"), 0.06
FOUR = AcceleratorConfig(acc_bits=16, rescale_bits=4, tables=1), QuantSettings(weights="dybit4", acts="dybit4"), 0.45
WAYS = {"W8A8": EIGHT, "W4A4": FOUR}
"""Configuration and formats, with the relative error that quantisation may cost."""

RATIOS = st.floats(0, 6).map(lambda exponent: 10.0**exponent)
SEEDS = st.integers(0, 31)


def normal(rng, *shape):
    return rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))


def node(kind, *inputs, output, **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


def conv(source, output, *constants, **attributes):
    return node("Conv", source, *constants, output=output, **attributes)


SAME = {"pads": [1, 1, 1, 1]}


def relative_error(build, nodes, constants, way, rng):
    """Error of the integers on samples that calibration has not seen, over the float model's values."""
    config, formats, _ = WAYS[way]
    used = {name: constants[name].astype(np.float32) for each in nodes for name in each.input if name in constants}
    graph = load_model(build(nodes, (1, 3, 6, 5), used))
    x, held = (rng.normal(size=(count, 3, 6, 5)).astype(np.float32) for count in (48, 16))
    quantised = quantise(graph, x, formats, config)
    output = quantised.outputs[0]
    found = GoldenModel(quantised, config).run(prepare_input(quantised, held))
    given = restore_outputs(quantised, found, raw=True)[output.name]
    wanted = output.elements(evaluate(lower(graph), held)[output.tensor])
    return np.sqrt(np.square(given - wanted).mean() / np.square(wanted).mean())


def uneven_sum(kind, ratio, rng):
    """A sum of which one term is so many times as large as the other; a constant beside weights, or two of each."""
    c = CHANNELS
    constants = {"w": normal(rng, c, 3, 3, 3), "b": normal(rng, c), "v": normal(rng, c, 3, 3, 3)}
    constants |= {"z": normal(rng, c, c, 3, 3), "u": normal(rng, c, c, 1, 1), "e": normal(rng, 4, c, 1, 1)}
    stem = [conv("x", "c", "w", "b", **SAME), node("Relu", "c", output="r")]
    if kind == "small constant":
        constants["v"] *= ratio
        return [*stem, conv("x", "q", "v", **SAME), node("Add", "r", "q", output="y")], constants
    if kind == "large constant":
        constants["w"], constants["b"] = constants["w"] * ratio, constants["b"] * ratio
        return [*stem, conv("x", "q", "v", **SAME), node("Add", "r", "q", output="y")], constants
    if kind == "two constants":
        constants["v"] *= ratio
        second = [conv("x", "q", "v", **SAME), node("Relu", "q", output="s")]
        return [*stem, *second, node("Add", "r", "s", output="y")], constants
    if kind == "two learned":
        constants["w"], constants["b"] = constants["w"] * ratio, constants["b"] * ratio
        second = [conv("r", "t", "z", **SAME), conv("x", "q", "v", **SAME)]
        return [*stem, *second, node("Add", "t", "q", output="y")], constants
    assert kind in ("small branch", "large branch")
    constants["u"] *= ratio if kind == "large branch" else 1 / ratio
    branch = [conv("r", "t", "z", **SAME), node("Relu", "t", output="s"), conv("s", "q", "u")]
    end = [node("Add", "r", "q", output="a"), node("Relu", "a", output="d"), conv("d", "y", "e")]
    return [*stem, *branch, *end], constants


SUMS = ("small constant", "large constant", "two constants", "two learned", "small branch", "large branch")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", SUMS)
@settings(max_examples=5, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ratio=RATIOS, seed=SEEDS)
def test_sums_of_terms_of_different_size(kind, way, onnx_model, ratio, seed):
    rng = np.random.default_rng(seed)
    nodes, constants = uneven_sum(kind, ratio, rng)
    assert relative_error(onnx_model, nodes, constants, way, rng) < WAYS[way][2]


@pytest.mark.parametrize("ratio", [300, 3000])
@pytest.mark.parametrize("kind", ["small constant", "large constant"])
def test_a_term_may_vanish_beside_one_that_no_scale_holds_with_it(kind, ratio, onnx_model):
    rng = np.random.default_rng(3)
    nodes, constants = uneven_sum(kind, ratio, rng)
    assert relative_error(onnx_model, nodes, constants, "W8A8", rng) < 0.02


def uneven_channels(kind, ratio, rng):
    """Channels up to so many times as large as others, that the weights behind them make alike again."""
    c = CHANNELS
    spread = rng.permutation(np.geomspace(1, ratio, c))
    rows, columns = spread[:, np.newaxis, np.newaxis, np.newaxis], spread[:, np.newaxis, np.newaxis]
    constants = {"w": normal(rng, c, 3, 3, 3) * rows, "b": normal(rng, c) * spread}
    constants |= {"z": normal(rng, c, c, 3, 3) / columns, "e": normal(rng, 4, c, 1, 1)}
    constants |= {"d": normal(rng, c, 1, 3, 3), "even": constants["e"] / columns}
    stem = [conv("x", "c", "w", "b", **SAME), node("Relu", "c", output="r")]
    if kind == "convolution":
        return [*stem, conv("r", "y", "even")], constants
    if kind == "depthwise, back":
        constants["d"] /= rows
        return [
            *stem,
            conv("r", "q", "d", group=c, **SAME),
            node("Relu", "q", output="s"),
            conv("s", "y", "e"),
        ], constants
    if kind == "depthwise":
        middle = [conv("r", "q", "d", group=c, **SAME), node("Relu", "q", output="s")]
        return [
            *stem,
            *middle,
            node("MaxPool", "s", output="m", kernel_shape=[2, 2]),
            conv("m", "y", "even"),
        ], constants
    if kind == "residual":
        constants["z"] *= rows
        middle = [conv("r", "t", "z", **SAME), node("Add", "r", "t", output="a"), node("Relu", "a", output="s")]
        return [*stem, *middle, conv("s", "y", "even")], constants
    if kind == "average":
        return [*stem, node("GlobalAveragePool", "r", output="p"), conv("p", "y", "even")], constants
    if kind == "leaky":
        return [stem[0], node("LeakyRelu", "c", output="r", alpha=0.1), conv("r", "y", "even")], constants
    if kind == "normalised":
        constants |= {"gamma": np.ones(c), "beta": normal(rng, c), "mean": normal(rng, c) * spread, "var": spread**2}
        constants["z"] *= columns
        scaled = node("BatchNormalization", "r", "gamma", "beta", "mean", "var", output="q")
        return [*stem, scaled, conv("q", "y", "z", **SAME)], constants
    assert kind == "concat"
    constants["v"] = normal(rng, c, 3, 3, 3) * ratio
    constants["k"] = np.concatenate([normal(rng, 4, c, 1, 1) / columns, normal(rng, 4, c, 1, 1) / ratio], axis=1)
    second = [conv("x", "q", "v", **SAME), node("Relu", "q", output="s"), node("Concat", "r", "s", output="t", axis=1)]
    return [*stem, *second, node("MaxPool", "t", output="m", kernel_shape=[2, 2]), conv("m", "y", "k")], constants


UNEVEN = ("convolution", "depthwise", "depthwise, back", "residual", "average", "leaky", "normalised", "concat")


@pytest.mark.parametrize("ratio", [100.0, 1e6])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", UNEVEN)
def test_channels_of_different_size(kind, way, ratio, onnx_model):
    errors = []
    for seed in range(3):  # a single one may have outputs that hardly differ from 0
        rng = np.random.default_rng(seed)
        nodes, constants = uneven_channels(kind, ratio, rng)
        errors.append(relative_error(onnx_model, nodes, constants, way, rng))
    assert np.median(errors) < WAYS[way][2]


@pytest.mark.parametrize(("ratio", "equalised"), [(1, []), (1e5, ["Conv_c"])])
def test_only_channels_that_would_vanish_are_equalised(ratio, equalised, onnx_model):
    rng = np.random.default_rng(5)
    nodes, constants = uneven_channels("convolution", ratio, rng)
    used = {name: constants[name].astype(np.float32) for name in ("w", "b", "even")}
    graph = load_model(onnx_model(nodes, (1, 3, 6, 5), used))
    x = rng.normal(size=(48, 3, 6, 5)).astype(np.float32)
    assert equalised_unasked(graph, x, EIGHT[1]) == equalised
    assert equalised_unasked(graph, x, QuantSettings(equalise=True)) == []
