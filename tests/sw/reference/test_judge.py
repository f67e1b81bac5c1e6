"""Imports are held against other runtimes: right ones pass, and whatever handlers or passes do wrongly is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from narrows.sw import passes
from narrows.sw.errors import ImportMismatch
from narrows.sw.frontend import import_model, onnx_graph, op_shape
from narrows.sw.graph import Graph
from narrows.sw.heads import HOST_FUNCTIONS
from narrows.sw.layers import Mac, MaxPool
from narrows.sw.reference import judge, runtimes
from numpy.typing import NDArray
from onnx import helper

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship
SEED = 17
SAMPLES = np.random.default_rng(SEED).normal(size=(6, 3, 9, 8)).astype(np.float32)


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(SEED).normal(0, 0.4, shape).astype(np.float32)


@pytest.fixture
def residual(onnx_model) -> Path:
    """Dilated and grouped convolutions, a sum, normalisation, pools, a transposition, a dense layer, Softmax."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], "stem", pads=[2, 2, 2, 2], dilations=[2, 2]),
        node("Clip", ["c1", "zero", "limit"], ["r1"], "clip"),
        node("Conv", ["r1", "w2"], ["c2"], "grouped", pads=[1, 0, 1, 0], group=2),
        node("LeakyRelu", ["c2"], ["l2"], "leaky", alpha=0.2),
        node("Conv", ["r1", "w3"], ["c3"], "side"),
        node("Sub", ["l2", "c3"], ["s"], "sum"),
        node("BatchNormalization", ["s", "gain", "offset", "mean", "var"], ["n"], "norm", epsilon=1e-2),
        node("MaxPool", ["n"], ["m"], "largest", kernel_shape=[2, 2], strides=[2, 1]),
        node("AveragePool", ["m"], ["a"], "mean", kernel_shape=[3, 2], pads=[1, 0, 1, 0], count_include_pad=1),
        node("HardSigmoid", ["a"], ["h"], "hard", alpha=0.3, beta=0.4),
        node("Transpose", ["h"], ["t"], "last", perm=[0, 2, 3, 1]),
        node("Flatten", ["t"], ["f"], "flat", axis=1),
        node("Gemm", ["f", "w4", "b4"], ["g"], "dense", transB=1, alpha=0.5, beta=2.0),
        node("Softmax", ["g"], ["y"], "odds", axis=1),
    ]
    constants = {
        "w1": weights(4, 3, 3, 3),
        "gain": np.abs(weights(6)) + 0.5,
        "offset": weights(6),
        "mean": weights(6),
        "var": np.abs(weights(6)) + 0.01,
        "zero": np.float32(0),
        "limit": np.float32(0.9),
        "w2": weights(6, 2, 3, 1),
        "w3": weights(6, 4, 1, 1),
        "w4": weights(5, 6 * 4 * 6),
        "b4": weights(5),
    }
    return onnx_model(nodes, (1, 3, 9, 8), constants)


@pytest.fixture
def trained(onnx_model) -> Path:
    """A convolution and a dense layer with quantisers whose sums often lie at ties."""
    node = helper.make_node
    nodes = [
        *_quantised("x", "xq", "sx", "zx"),
        node("DequantizeLinear", ["w", "sw"], ["wr"], "w"),
        node("Conv", ["xq", "wr"], ["c"], "conv", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"], "relu"),
        *_quantised("r", "rq", "sy", "zy"),
        node("GlobalAveragePool", ["rq"], ["p"], "pool"),
        *_quantised("p", "y", "sy", "zy"),
    ]
    constants = {
        "w": np.random.default_rng(SEED).integers(-3, 4, (4, 3, 3, 3)).astype(np.int8),
        "sw": np.float32(0.05),
        "sx": np.float32(0.1),
        "zx": np.int8(3),
        "sy": np.float32(0.01),  # twice the step of sums: every second one lies at a tie, as far as float32 can tell
        "zy": np.uint8(0),
    }
    return onnx_model(nodes, (1, 3, 9, 8), constants, outputs=("rq", "y"))


def _quantised(source: str, result: str, scale: str, zero: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("QuantizeLinear", [source, scale, zero], [f"{result}_codes"], f"{result}_q"),
        helper.make_node("DequantizeLinear", [f"{result}_codes", scale, zero], [result], f"{result}_d"),
    ]


def test_right_imports_pass(residual: Path) -> None:
    verdict = judge(residual, import_model(residual), SAMPLES)
    assert verdict.runtime.startswith("onnxruntime")
    assert verdict.samples == 4
    assert verdict.difference < 2e-6
    assert str(verdict) == f"import: computes what {verdict.runtime} does, on 4 samples"


def test_roundings_at_ties_are_no_difference(trained: Path) -> None:
    verdict = judge(trained, import_model(trained), SAMPLES)
    assert verdict.ties > 0
    assert str(verdict).endswith(f"{verdict.ties} roundings at ties aside")


def test_without_samples_noise_alone_is_compared(residual: Path) -> None:
    assert judge(residual, import_model(residual)).samples == 1


MISREAD = {
    "stem": {"pads": [2, 3, 2, 1]},
    "grouped": {"pads": [0, 0, 2, 0]},
    "leaky": {"alpha": 0.201},
    "norm": {"epsilon": 0.011},
    "largest": {"kernel_shape": [3, 2]},
    "mean": {"pads": [2, 0, 0, 0]},
    "hard": {"beta": 0.401},
    "dense": {"alpha": 0.501},
}
"""Attributes that a handler could read wrongly without anything else complaining."""


@pytest.mark.parametrize("name", MISREAD)
def test_a_node_that_its_handler_misreads_is_named(name: str, residual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def misreading(handler: Callable) -> Callable:
        def handle(importer, node) -> None:
            if node.name == name:
                changed = [helper.make_attribute(*each) for each in MISREAD[name].items()]
                kept = [attribute for attribute in node.attribute if attribute.name not in MISREAD[name]]
                del node.attribute[:]
                node.attribute.extend([*kept, *changed])
            handler(importer, node)

        return handle

    handlers = {kind: misreading(handler) for kind, handler in onnx_graph.HANDLERS.items()}
    monkeypatch.setattr(onnx_graph, "HANDLERS", handlers)
    with pytest.raises(ImportMismatch, match=rf"\(node '{name}'\) gives .* for the first value that differs"):
        judge(residual, import_model(residual), SAMPLES)


def test_every_kind_of_layer_can_be_told_apart(onnx_model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph as imported is evaluated to name a node: all that handlers emit must be."""
    nodes = [
        helper.make_node("Add", ["x", "each"], ["a"], "by element"),
        helper.make_node("Mul", ["a", "gains"], ["m"], "by channel"),
        helper.make_node("Concat", ["m", "a"], ["j"], "join", axis=1),
        helper.make_node("Sigmoid", ["j"], ["s"], "curve"),
        helper.make_node("AveragePool", ["s"], ["p"], "mean", kernel_shape=[2, 2]),
        helper.make_node("Relu", ["p"], ["r"], "relu"),
        helper.make_node("Conv", ["r", "w"], ["y"], "last"),
    ]
    constants = {"each": weights(1, 3, 9, 8), "gains": weights(3, 1, 1), "w": weights(4, 6, 3, 3)}
    path = onnx_model(nodes, (1, 3, 9, 8), constants)
    judge(path, import_model(path), SAMPLES)

    def wrong(graph: Graph) -> Graph:
        return macs(graph, lambda layer: shifted(layer) if layer.name == "last" else None)

    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, wrong))
    with pytest.raises(ImportMismatch, match=r"\(node 'last'\) gives .* for the first value that differs"):
        judge(path, import_model(path), SAMPLES)
    kinds = {type(layer).__name__ for layer in import_model(path).graph.layers}
    assert kinds >= {"ElementAffine", "Affine", "Concat", "Curve", "AveragePool", "Clamp", "Mac"}


def test_a_view_in_the_wrong_order_is_found(residual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(op_shape.REARRANGEMENTS, "Transpose", lambda importer, node, index: index.transpose(0, 3, 2, 1))
    with pytest.raises(ImportMismatch, match=r"'(last|dense)'"):
        judge(residual, import_model(residual), SAMPLES)


def test_a_wrong_head_is_found(residual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.sw.heads.HOST_FUNCTIONS", dict(HOST_FUNCTIONS) | {"softmax": lambda x, axes: x})
    with pytest.raises(ImportMismatch, match=r"output 'y' is .* where its layers are right"):
        judge(residual, import_model(residual), SAMPLES)


def test_a_softmax_that_is_sure_hides_nothing(onnx_model, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w"], ["g"], "dense", transB=1),
        helper.make_node("Softmax", ["g"], ["y"], "odds", axis=1),
    ]
    path = onnx_model(nodes, (1, 3, 9, 8), {"w": weights(5, 3 * 9 * 8) * np.float32(40)})
    judge(path, import_model(path), SAMPLES)
    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, SABOTAGE["a bias"]))
    with pytest.raises(ImportMismatch, match=r"\(node 'dense'\)"):
        judge(path, import_model(path), SAMPLES)


def test_a_wrong_name_and_a_wrong_shape_are_found(residual: Path) -> None:
    imported = import_model(residual)
    (output,) = imported.graph.outputs
    for wrong in (replace(output, name="z"), replace(output, shape=(1, 5), head=())):
        with pytest.raises(ImportMismatch, match="output"):
            judge(residual, replace(imported, graph=replace(imported.graph, outputs=(wrong,))), SAMPLES)


def macs(graph: Graph, change: Callable[[Mac], Mac | None]) -> Graph:
    """The graph with its first `Mac` changed for which ``change`` gives another."""
    for place, layer in enumerate(graph.layers):
        if isinstance(layer, Mac) and (other := change(layer)) is not None:
            return replace(graph, layers=(*graph.layers[:place], other, *graph.layers[place + 1 :]))
    raise AssertionError("nothing to sabotage")


def heavier(layer: Mac) -> Mac:
    """One weight 1 % larger."""
    weights = layer.terms[0].weights.copy()
    at = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    weights[at] *= 1.01
    return replace(layer, terms=(replace(layer.terms[0], weights=weights, step=None), *layer.terms[1:]))


def mirrored(layer: Mac) -> Mac | None:
    """Taps from right to left."""
    term = layer.terms[0]
    if term.weights.shape[-1] == 1 or term.constant:
        return None
    return replace(layer, terms=(replace(term, weights=term.weights[..., ::-1]), *layer.terms[1:]))


def unbounded(layer: Mac) -> Mac | None:
    """No clamp."""
    return None if layer.is_linear else replace(layer, low=-np.inf, high=np.inf)


def shifted(layer: Mac) -> Mac:
    """A bias beside its own, by a thousandth of the weights."""
    return replace(layer, bias=layer.bias + 1e-3 * np.abs(layer.terms[0].weights).max())


def pooled_elsewhere(graph: Graph) -> Graph:
    """Maxima over one line more."""
    layers = []
    for layer in graph.layers:
        if isinstance(layer, MaxPool):
            height, width = layer.window.kernel
            layer = replace(layer, window=replace(layer.window, kernel=(height + 1, width)))
        layers.append(layer)
    return replace(graph, layers=tuple(layers))


SABOTAGE = {
    "a weight": lambda graph: macs(graph, heavier),
    "taps": lambda graph: macs(graph, mirrored),
    "a clamp": lambda graph: macs(graph, unbounded),
    "a bias": lambda graph: macs(graph, shifted),
    "a pool": pooled_elsewhere,
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_pass_that_changes_the_result_is_found(what: str, residual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, SABOTAGE[what]))
    with pytest.raises(ImportMismatch, match="for the first value that differs"):
        judge(residual, import_model(residual), SAMPLES)


GRIDS = {
    "start": lambda grid: replace(grid, low=grid.low + 4),
    "scale": lambda grid: replace(grid, scale=grid.scale * 1.01),
    "end": lambda grid: replace(grid, high=grid.low + 12),
}


@pytest.mark.parametrize("what", GRIDS)
def test_a_trained_grid_that_is_moved_is_found(what: str, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(graph: Graph) -> Graph:
        name = next(layer.output for layer in graph.layers if layer.output in graph.grids)
        return replace(graph, grids=graph.grids | {name: GRIDS[what](graph.grids[name])})

    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, moved))
    with pytest.raises(ImportMismatch, match=r"\(node 'rq_d'\)"):
        judge(trained, import_model(trained), SAMPLES)


def test_what_onnxruntime_lacks_is_evaluated_by_onnx(onnx_model) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "conv", auto_pad="SAME_UPPER", dilations=[1, 1])]
    path = onnx_model(nodes, (1, 3, 9, 8), {"w": weights(4, 3, 3, 3)})
    model = import_model(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtimes.OnnxRuntime, "run", _refuses)
        assert judge(path, model, SAMPLES).runtime == f"the evaluator of onnx {onnx.__version__}"
        patch.setattr(runtimes.OnnxReference, "run", _refuses)
        verdict = judge(path, model, SAMPLES)
    assert verdict.runtime == ""
    assert "held against nothing" in str(verdict)
    assert "does not run it (not today)" in str(verdict)


def _refuses(*_arguments: object) -> None:
    raise RuntimeError("not today")


def test_quant_nodes_are_evaluated_by_qonnx(onnx_model) -> None:
    attributes = {"domain": "qonnx.custom_op.general", "rounding_mode": "ROUND", "signed": 1, "narrow": 0}
    nodes = [
        helper.make_node("Quant", ["x", "sx", "z", "bits"], ["xq"], "qx", **attributes),
        helper.make_node("Quant", ["w", "sw", "z", "bits"], ["wq"], "qw", **attributes),
        helper.make_node("Conv", ["xq", "wq"], ["c"], "conv"),
        helper.make_node("Quant", ["c", "sy", "z", "bits"], ["y"], "qy", **attributes),
    ]
    constants = {"w": weights(4, 3, 3, 3), "sx": 0.25, "sw": 0.125, "sy": 0.5, "z": 0.0, "bits": 4.0}
    path = onnx_model(nodes, (1, 3, 9, 8), {key: np.array(value, np.float32) for key, value in constants.items()})
    assert judge(path, import_model(path), SAMPLES).runtime.startswith("qonnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        assert "pip install qonnx" in judge(path, import_model(path), SAMPLES).note


@pytest.mark.skipif(not (SHARED / "models").is_dir(), reason="needs models that are not part of the project")
@pytest.mark.parametrize("name", sorted(path.name for path in (SHARED / "models").glob("*.onnx")))
def test_real_models_are_read_rightly(name: str) -> None:
    path = SHARED / "models" / name
    assert judge(path, import_model(path)).runtime


@pytest.mark.skipif(not (SHARED / "models").is_dir(), reason="needs models that are not part of the project")
@pytest.mark.parametrize("name", ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"])
def test_real_tflite_models_are_read_rightly(name: str) -> None:
    pytest.importorskip("ai_edge_litert")
    path = SHARED / "models" / f"{name}.tflite"
    assert judge(path, import_model(path)).runtime.startswith("LiteRT")


def test_odds_near_zero_are_as_good_as_none(onnx_model) -> None:
    """onnxruntime's kernel of Sigmoid gives 0 below -18, where 1e-8 is right."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv"),
        helper.make_node("Sigmoid", ["c"], ["y"], "odds"),
    ]
    path = onnx_model(nodes, (1, 3, 9, 8), {"w": 0.01 * weights(2, 3, 1, 1), "b": np.full(2, -18.5, np.float32)})
    assert judge(path, import_model(path), SAMPLES).samples == 4


def test_what_a_normalisation_loses_is_no_fault(onnx_model) -> None:
    """A mean that its offset takes back: float32 loses in between what the layer that both become does not."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["c"], "conv"),
        node("BatchNormalization", ["c", "gain", "offset", "mean", "var"], ["n"], "norm"),
        node("Relu", ["n"], ["r"], "relu"),
        node("Slice", ["r", "from", "to", "axis"], ["top"], "top"),
        node("Conv", ["top", "v"], ["y"], "last"),
    ]
    constants = {
        "w": weights(8, 3, 3, 3),
        "gain": np.ones(8, np.float32),
        "offset": np.ones(8, np.float32),
        "mean": np.ones(8, np.float32),
        "var": np.ones(8, np.float32),
        "v": weights(2, 8, 1, 1),
        **{name: np.array([value]) for name, value in (("from", 0), ("to", 2), ("axis", 2))},
    }
    path = onnx_model(nodes, (1, 3, 9, 8), constants)
    faint = SAMPLES.copy()
    faint[:, :, :5] *= 1e-4  # there the layer that both become loses next to nothing
    assert judge(path, import_model(path), faint).samples == 4
