"""What is left as it is, and why."""

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.frontend import load_model
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.rebuild import Reconstructed
from narrows.sw.quantize.reconstructing import quantise_and_reconstruct
from onnx import helper

CONFIG = dataclasses.replace(PRESETS["tiny"], acc_bits=20)
SETTINGS = QuantSettings(reconstruct=True)


def test_a_result_is_taken_if_it_is_better() -> None:
    assert Reconstructed(block="a", before=0.2, after=0.1).kept
    assert not Reconstructed(block="a", before=0.2, after=0.2).kept
    assert not Reconstructed(block="a", before=0.2, after=0.1, why="no").kept


def test_a_model_that_multiplies_tensors_is_left_as_it_is(onnx_model) -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(21)
    constants = {name: rng.normal(size=(4, 4, 1, 1)).astype(np.float32) for name in ("w", "v")}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="a"),
        helper.make_node("Conv", ["x", "v"], ["b"], name="b"),
        helper.make_node("Mul", ["a", "b"], ["y"], name="both"),
    ]
    graph, x = load_model(onnx_model(nodes, (1, 4, 5, 5), constants)), rng.normal(size=(8, 4, 5, 5))
    blocks: list[Reconstructed] = []
    quantised = quantise_and_reconstruct(graph, x, SETTINGS, CONFIG, report=blocks.append)
    assert [(each.block, each.why) for each in blocks] == [("all layers", "both multiplies two tensors")]
    plain = quantise(graph, x, QuantSettings(), CONFIG)
    assert all(repr(ours) == repr(theirs) for ours, theirs in zip(quantised.layers, plain.layers, strict=True))
