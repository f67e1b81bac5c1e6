"""Shares of the noise: exact arithmetic of the program, sums that are whole, and planted errors that come first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.quantize import LayerFormats, QuantSettings, quantise
from narrows.sw.quantize.advice import advise, eight_bits
from narrows.sw.quantize.attribution import attribute, leftover
from narrows.sw.quantize.prepare import prepared
from narrows.sw.quantize.quality import float_tensors, quality_of
from narrows.sw.runtime import prepare_input
from onnx import helper
from placed_cases import CONFIG as PLACED_CORE
from placed_cases import PLACED_CASES

SEED = 23
CONFIG = AcceleratorConfig(acc_bits=28, rescale_bits=8, planes=3, tables=2)
X = np.random.default_rng(SEED).normal(size=(24, 3, 8, 8))
INT8 = QuantSettings(weights="int8", acts="int8")


@pytest.fixture
def model(onnx_model) -> Path:
    """Two convolutions, a curve, maxima, a sum and a dense layer."""
    rng = np.random.default_rng(SEED)
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], "first", pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"], "relu"),
        node("Conv", ["r1", "w2"], ["c2"], "second", pads=[1, 1, 1, 1]),
        node("Tanh", ["c2"], ["t"], "curve"),
        node("Add", ["t", "r1"], ["s"], "sum"),
        node("MaxPool", ["s"], ["m"], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Flatten", ["m"], ["f"], "flat"),
        node("Gemm", ["f", "w3", "b3"], ["y"], "dense", transB=1),
    ]
    shapes = {"w1": (4, 3, 3, 3), "w2": (4, 4, 3, 3), "w3": (5, 64), "b3": (5,)}
    return onnx_model(nodes, (1, 3, 8, 8), {k: rng.normal(0, 0.3, s).astype(np.float32) for k, s in shapes.items()})


@pytest.fixture
def graph(model: Path) -> Graph:
    return load_model(model)


def test_a_program_is_followed_to_the_bit(graph: Graph) -> None:
    for settings in (INT8, QuantSettings()):
        program = quantise(graph, X, settings, CONFIG)
        levels = GoldenModel(program, CONFIG).run(prepare_input(program, X))
        ready = prepared(graph, X, settings)
        quality = quality_of(program, float_tensors(ready, X), levels)
        assert attribute(program, X, ready).snr_db == pytest.approx(quality.outputs[0].snr_db, abs=0.02)
        assert -10 * np.log10(leftover(program, X, ready)) == pytest.approx(quality.outputs[0].snr_db, abs=0.02)


def test_a_program_whose_weights_depend_on_places_is_followed_to_the_bit(onnx_model) -> None:
    nodes, constants = PLACED_CASES["factors by pixel"]
    graph = load_model(onnx_model(nodes, (1, 2, 5, 6), constants, opset=17))
    x = np.random.default_rng(SEED).normal(size=(24, 2, 5, 6))
    program = quantise(graph, x, INT8, PLACED_CORE)
    assert any(any(segment.inset) for layer in program.layers for segment in layer.segments)
    levels = GoldenModel(program, PLACED_CORE).run(prepare_input(program, x))
    ready = prepared(graph, x, INT8)
    quality = quality_of(program, float_tensors(ready, x), levels)
    assert attribute(program, x, ready).snr_db == pytest.approx(quality.outputs[0].snr_db, abs=0.02)


def test_shares_add_up_to_all_noise(graph: Graph) -> None:
    program = quantise(graph, X, QuantSettings(), CONFIG)
    for float_graph in (prepared(graph, X, QuantSettings()), None):
        found = attribute(program, X, float_graph)
        assert sum(error.share for error in found.layers) == pytest.approx(1, abs=1e-3)
        assert [error.share for error in found.layers] == sorted((e.share for e in found.layers), reverse=True)
        for error in found.layers:
            assert error.share == pytest.approx((error.weights or 0) + error.output, abs=2e-4)
        assert {error.layer for error in found.layers} >= {"first", "dense", "(input)"}


@pytest.mark.parametrize("layer", ["first", "second", "dense"])
def test_narrow_weights_are_found(layer: str, graph: Graph) -> None:
    settings = QuantSettings(weights="int8", acts="int8", layers={layer: LayerFormats(weights="int2")})
    first = attribute(quantise(graph, X, settings, CONFIG), X, prepared(graph, X, settings)).layers[0]
    assert first.layer == layer
    assert layer in first.origin
    assert first.weights is not None
    assert first.weights > 0.8


@pytest.mark.parametrize("layer", ["first", "second"])
def test_a_narrow_tensor_is_found(layer: str, graph: Graph) -> None:
    settings = QuantSettings(weights="int8", acts="int8", layers={layer: LayerFormats(acts="int2")})
    program = quantise(graph, X, settings, CONFIG)
    first = attribute(program, X, prepared(graph, X, settings)).layers[0]
    assert first.layer == layer
    assert first.output > 0.8
    if layer == "first":  # of a table nothing but its entries is known without the float model
        assert attribute(program, X).layers[0].layer == layer


def test_eight_bits_go_where_the_noise_is(graph: Graph) -> None:
    settings = QuantSettings(weights="int8", acts="int8", layers={"second": LayerFormats(weights="int2", acts="int4")})
    ready = prepared(graph, X, settings)
    found = attribute(quantise(graph, X, settings, CONFIG), X, ready)
    wider = eight_bits(found, ready, settings)
    assert wider is not None
    assert wider.layers["second"].weights == "int8"
    assert eight_bits(attribute(quantise(graph, X, INT8, CONFIG), X, ready), ready, INT8) is None


def test_gains_are_those_of_quantising_again(graph: Graph) -> None:
    settings = QuantSettings(weights="int8", acts="int8", layers={"first": LayerFormats(weights="int2")})
    ready = prepared(graph, X, settings)
    program = quantise(graph, X, settings, CONFIG)
    steps, found = [], attribute(program, X, ready)
    advice = advise(found, graph, X, settings, CONFIG, progress=lambda done, total: steps.append((done, total)))
    gains = {each.what: each.gain_db for each in advice}
    better = quantise(graph, X, INT8, CONFIG)
    wanted = 10 * np.log10(leftover(program, X, ready) / leftover(better, X, ready))
    assert gains["8 bits in first"] == pytest.approx(wanted, abs=0.01)
    assert wanted > 6
    assert steps[-1][0] == steps[-1][1]
    measured = [each.gain_db for each in advice if each.gain_db is not None]
    assert measured == sorted(measured, reverse=True)


def test_unequal_channels_want_to_be_equalised(onnx_model) -> None:
    rng = np.random.default_rng(SEED)
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["c"], "wide"),
        node("Relu", ["c"], ["r"], "relu"),
        node("Conv", ["r", "v"], ["y"], "back"),
    ]
    spread = 10.0 ** np.linspace(0, 0.6, 6)
    w = rng.normal(0, 0.3, (6, 3, 3, 3)) * spread[:, None, None, None]
    v = rng.normal(0, 0.3, (4, 6, 1, 1)) / spread[:, None, None]
    model = load_model(onnx_model(nodes, (1, 3, 8, 8), {"w": w.astype(np.float32), "v": v.astype(np.float32)}))
    found = attribute(quantise(model, X, INT8, CONFIG), X, prepared(model, X, INT8))
    best = advise(found, model, X, INT8, CONFIG)[0]
    assert best.what == "equalised channels"
    assert best.gain_db is not None
    assert best.gain_db > 0.5


def test_what_a_core_does_not_hold_is_said(onnx_model) -> None:
    w = np.random.default_rng(SEED).normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], "c"), helper.make_node("Conv", ["c", "v"], ["y"], "y")]
    model = load_model(onnx_model(nodes, (1, 3, 8, 8), {"w": w, "v": w[:, :1].repeat(4, axis=1)}))
    small, settings = AcceleratorConfig(acc_bits=14, rescale_bits=8, planes=1), QuantSettings()
    found = attribute(quantise(model, X, settings, small), X, prepared(model, X, settings))
    everywhere = next(each for each in advise(found, model, X, settings, small) if each.what == "8 bits everywhere")
    assert everywhere.gain_db is None
    assert "the core does not hold it: " in everywhere.how


def test_a_model_with_integers_of_its_own_is_advised_no_formats(onnx_model) -> None:
    rng = np.random.default_rng(SEED)
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "sx", "z"], ["xc"], "xq"),
        node("DequantizeLinear", ["xc", "sx", "z"], ["xr"], "xd"),
        node("DequantizeLinear", ["w", "sw"], ["wr"], "wd"),
        node("Conv", ["xr", "wr"], ["c"], "conv"),
        node("QuantizeLinear", ["c", "sy", "z"], ["yc"], "yq"),
        node("DequantizeLinear", ["yc", "sy", "z"], ["y"], "yd"),
    ]
    constants = {
        "w": rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
        "sw": np.float32(0.0031),
        "sx": np.float32(0.027),
        "sy": np.float32(0.0371),
        "z": np.int8(0),
    }
    model, settings = load_model(onnx_model(nodes, (1, 3, 8, 8), constants)), QuantSettings()
    config = AcceleratorConfig(acc_bits=28, rescale_bits=4, planes=3)
    found = attribute(quantise(model, X, settings, config), X, prepared(model, X, settings))
    (advice,) = advise(found, model, X, settings, config)
    assert advice.how == "compile --rescale-bits 16"
    assert advice.gain_db is not None
    assert advice.gain_db > 3
