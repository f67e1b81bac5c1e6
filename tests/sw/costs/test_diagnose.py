"""The doctor: every node of a file has a fate, costs are those of the compiler, and no refusal hides another."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sw.costs.diagnose import Diagnosis, cores_for, diagnose
from narrows.sw.costs.examine import Status
from narrows.sw.costs.examine import examine as examined
from narrows.sw.costs.work import layer_macs, layer_work
from narrows.sw.errors import ModelError
from narrows.sw.examples import digits_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings
from onnx import helper

CONFIG = PRESETS["demo"]
RNG = np.random.default_rng(3)


def examine(path: Path) -> Diagnosis:
    return diagnose(examined(path), CONFIG, QuantSettings())


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def conv(source: str, output: str, weight: str) -> onnx.NodeProto:
    return helper.make_node("Conv", [source, weight], [output], name=output, pads=[1, 1, 1, 1])


def test_costs_of_the_built_in_model_are_those_of_its_program(program: Program) -> None:
    with digits_model() as path:
        found = examine(path)
        operators = [node.op_type for node in onnx.load(path).graph.node]
    assert [node.operator for node in found.nodes] == operators
    assert not found.refused
    costed = [node for node in found.nodes if node.cycles]
    real = layer_work(program)
    assert [node.macs for node in costed] == list(layer_macs(program.graph).values())
    assert len(costed) == len(real)
    # the format of the input, and constants (skip connection, average) are known from samples and weights only
    exact = {layer.name for node, layer in zip(costed, real, strict=True) if node.cycles == layer.cycles}
    assert exact >= {"first.0", "/pool/MaxPool", "last.0"}
    assert abs(found.cycles / sum(layer.cycles for layer in real) - 1) < 0.05


def test_what_is_fused_names_the_node_of_the_file_that_does_its_work() -> None:
    with digits_model() as path:
        found = {node.name: node for node in examine(path).nodes}
    assert found["/stem/stem.1/BatchNormalization"].detail == "into /stem/stem.0/Conv"
    assert found["/Relu"].detail == "into /stem/stem.0/Conv"
    assert found["/Add"].status is Status.FUSED
    assert found["/Flatten"].status is Status.MOVEMENT
    assert found["/pool/MaxPool"].status is Status.MAX_POOL


def test_what_stands_behind_a_refused_node_is_not_looked_at(onnx_model) -> None:
    nodes = [
        conv("x", "a", "w1"),
        helper.make_node("LRN", ["a"], ["b"], name="norm", size=3),
        conv("b", "c", "w2"),
        helper.make_node("Hardmax", ["c"], ["d"], name="hard"),
        helper.make_node("LRN", ["x"], ["e"], name="other", size=3),
        helper.make_node("Relu", ["a"], ["f"], name="relu"),
        helper.make_node("Concat", ["d", "e", "f"], ["g"], name="joined", axis=1),
    ]
    path = onnx_model(nodes, (1, 3, 8, 8), {"w1": weights(8, 3, 3, 3), "w2": weights(8, 8, 3, 3)})
    found = examine(path)
    by_name = {node.name: node for node in found.nodes}
    assert [by_name[name].status for name in ("norm", "other")] == [Status.REFUSED] * 2
    assert by_name["norm"].detail.startswith("not supported: it divides by sums of squares of the sample")
    assert [by_name[name].status for name in ("c", "hard", "joined")] == [Status.UNKNOWN] * 3
    assert by_name["hard"].detail == "it stands behind norm, which is refused"
    assert by_name["a"].cycles > 0 and by_name["a"].macs > 0
    assert by_name["relu"].detail == "into a"
    assert len(found.changes) == 2 and found.refused and found.cycles == 0


def test_operators_of_other_sets_are_refused_one_by_one(onnx_model) -> None:
    nodes = [
        conv("x", "a", "w1"),
        helper.make_node("Wiggle", ["a"], ["b"], name="wiggle", domain="my.ops"),
        helper.make_node("Jiggle", ["a"], ["c"], name="jiggle", domain="my.ops"),
        helper.make_node("Add", ["b", "c"], ["d"], name="sum"),
    ]
    path = onnx_model(nodes, (1, 3, 8, 8), {"w1": weights(8, 3, 3, 3)})
    found = examine(path)
    assert [node.status for node in found.nodes] == [Status.ARRAY, Status.REFUSED, Status.REFUSED, Status.UNKNOWN]
    assert [change.split()[1] for change in found.changes] == ["Wiggle", "Jiggle"]


def test_softmax_at_the_end_is_the_host_s(onnx_model) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["a"], name="flat"),
        helper.make_node("Gemm", ["a", "w"], ["b"], name="dense"),
        helper.make_node("Softmax", ["b"], ["c"], name="soft"),
    ]
    found = examine(onnx_model(nodes, (1, 3, 4, 4), {"w": weights(48, 10)}))
    assert [node.status for node in found.nodes] == [Status.MOVEMENT, Status.ARRAY, Status.HOST]
    assert not found.refused


def test_shapes_computed_in_the_graph_are_constants(onnx_model) -> None:
    nodes = [
        conv("x", "a", "w"),
        helper.make_node("Shape", ["a"], ["shape"], name="shape"),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], name="gather", axis=0),
        helper.make_node("Concat", ["batch", "minus"], ["target"], name="concat", axis=0),
        helper.make_node("Reshape", ["a", "target"], ["b"], name="reshape"),
        helper.make_node("Gemm", ["b", "v"], ["c"], name="dense"),
    ]
    constants = {
        "w": weights(4, 3, 3, 3),
        "v": weights(64, 10),
        "zero": np.array([0]),
        "minus": np.array([-1]),
    }
    found = {node.name: node.status for node in examine(onnx_model(nodes, (1, 3, 4, 4), constants)).nodes}
    assert [found[name] for name in ("shape", "gather", "concat")] == [Status.CONSTANT] * 3
    assert (found["reshape"], found["dense"]) == (Status.MOVEMENT, Status.ARRAY)


def test_a_model_that_does_not_fit_has_costs_and_says_what_to_raise(onnx_model) -> None:
    path = onnx_model([conv("x", "a", "w")], (1, 64, 64, 64), {"w": weights(64, 64, 3, 3)})
    found = examine(path)
    assert found.nodes[0].cycles > 64 * 64 * 64 * 64 * 9 / CONFIG.macs
    assert len(found.changes) == 1
    assert "words of activation memory" in found.changes[0]
    assert 'keep them in a backing store: set backing = "axi4"' in found.changes[0]


def test_a_file_that_is_no_model_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x00\x01nonsense")
    with pytest.raises(ModelError, match="cannot read"):
        examine(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="no such file"):
        examine(tmp_path / "none.onnx")


def test_functions_need_tables(onnx_model) -> None:
    nodes = [conv("x", "a", "w"), helper.make_node("HardSwish", ["a"], ["b"], name="swish"), conv("b", "c", "v")]
    path = onnx_model(nodes, (1, 3, 8, 8), {"w": weights(8, 3, 3, 3), "v": weights(8, 8, 3, 3)})
    found = examine(path)
    assert found.nodes[1].detail == "into a"
    assert found.changes == (
        "the model needs 1 tables of levels for its functions, the configuration has 0 (layer 'a' exceeds them): "
        "raise tables to 1",
    )
    assert not diagnose(examined(path), dataclasses.replace(CONFIG, tables=1), QuantSettings()).refused


def test_all_shortages_are_said_at_once(onnx_model) -> None:
    path = onnx_model([conv("x", "a", "w")], (1, 16, 40, 40), {"w": weights(64, 16, 3, 3)})
    tight = dataclasses.replace(CONFIG, act_words=64, weight_words=16, param_words=4)
    found = diagnose(examined(path), tight, QuantSettings(acts="int8"))
    assert {lack.parameter for lack in found.shortages} == {"act_words", "weight_words", "param_words"}
    enough = {lack.parameter: lack.enough for lack in found.shortages}
    assert not diagnose(examined(path), dataclasses.replace(tight, **enough), QuantSettings(acts="int8")).refused


def test_a_core_with_a_backing_store_is_told_the_memories_that_cut_a_model_into_fewer_parts(onnx_model) -> None:
    path = onnx_model([conv("x", "a", "w")], (1, 16, 1400, 32), {"w": weights(8, 16, 3, 3)})
    small = dataclasses.replace(CONFIG, backing="axi4", act_words=2048, instructions=1024)
    (lack,) = diagnose(examined(path), small, QuantSettings()).shortages
    assert lack.parameter == "instructions" and lack.enough is None
    cure = re.fullmatch(r"raise act_words to (\d+), so that the model is cut into fewer parts", lack.cure)
    assert cure is not None, lack.cure
    larger = dataclasses.replace(small, act_words=int(cure[1]))
    assert not diagnose(examined(path), larger, QuantSettings()).refused


def cured(config: AcceleratorConfig, cures: Iterable[str]) -> AcceleratorConfig:
    """The configuration with what cures say."""
    said = "; ".join(cures)
    changes = {name: int(value) for name, value in re.findall(r"(\w+) to (\d+)", said)}
    return dataclasses.replace(config, **changes, **({"backing": "axi4"} if "backing" in said else {}))


def test_a_model_beyond_all_memories_is_told_all_that_a_core_with_a_backing_store_lacks(onnx_model) -> None:
    path = onnx_model([conv("x", "a", "w")], (1, 16, 1400, 32), {"w": weights(8, 16, 5, 5)})
    small = dataclasses.replace(CONFIG, act_words=8192, weight_words=128, param_words=4, taps=16, instructions=8)
    lacks = diagnose(examined(path), small, QuantSettings()).shortages
    hopeless = {lack.parameter for lack in lacks if lack.enough is None}
    assert hopeless == {"act_words"}
    cures = {lack.parameter: lack.cure for lack in lacks}
    assert 'set backing = "axi4", and raise' in cures["act_words"]
    assert cures["weight_words"] == "the backing store holds them, too"
    assert not diagnose(examined(path), cured(small, cures.values()), QuantSettings()).refused


def test_trained_integers_show_the_accumulator_that_they_need(onnx_model) -> None:
    levels = np.full((8, 64, 3, 3), 127, dtype=np.int8)
    scale, zero = np.float32(0.1), np.int8(0)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], name="d"),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["v"], name="v"),
        conv("d", "y", "v"),
    ]
    path = onnx_model(nodes, (1, 64, 6, 6), {"w": levels, "s": scale, "z": zero})
    found = diagnose(examined(path), CONFIG, QuantSettings())
    (lack,) = [lack for lack in found.shortages if lack.parameter == "acc_bits"]
    assert lack.needed == (255 * 127 * 64 * 9).bit_length() + 1  # codes are stored as 0 to 255
    assert lack.cure == "raise acc_bits to 26"


def test_cores_that_hold_a_model_are_told_from_others(onnx_model) -> None:
    path = onnx_model([conv("x", "a", "w")], (1, 8, 8, 8), {"w": weights(8, 8, 3, 3)})
    graph = lower(examined(path).graph)
    cores = {"good": CONFIG, "port": dataclasses.replace(CONFIG, host="uart")}
    cores["bad"] = dataclasses.replace(CONFIG, weight_words=16)
    good, port, bad = cores_for(graph, cores, lambda config: QuantSettings())
    assert good.cycles == port.cycles == diagnose(examined(path), CONFIG, QuantSettings()).cycles
    assert not good.lacking and [lack.parameter for lack in bad.shortages] == ["weight_words"]
