"""compare_engines: whatever differs is found and named; agreement is no accident of comparing nothing."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName, EngineRun
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input
from narrows.sw.verify.comparison import compare_engines, compare_predicted, compare_runs

CONFIG = PRESETS["tiny"]


@contextmanager
def silent(title: str):
    yield lambda done, total: None


@pytest.fixture(scope="module")
def program() -> Program:
    with digits_model() as path:
        graph = load_model(path)
    return compile_graph(quantise(graph, digits().calib_x[:64], QuantSettings(), CONFIG), CONFIG)


@pytest.fixture(scope="module")
def levels(program: Program) -> np.ndarray:
    return prepare_input(program.graph, digits().test_x[:3])


@pytest.fixture(scope="module")
def runs(program: Program, levels: np.ndarray) -> dict[EngineName, EngineRun]:
    comparison = compare_engines(program, levels, [EngineName.ISA], bar=silent)
    assert comparison.mismatches == []
    return dict(comparison.runs)


def test_every_layer_of_every_sample_is_compared(program: Program, runs: dict[EngineName, EngineRun]) -> None:
    for layer in program.graph.layers:
        assert runs[EngineName.ISA].tensors[layer.output].shape == runs[EngineName.GOLDEN].tensors[layer.output].shape
        assert len(runs[EngineName.ISA].tensors[layer.output]) == 3


def test_one_wrong_element_is_named(program: Program, runs: dict[EngineName, EngineRun]) -> None:
    layer = program.graph.layers[2]
    tensor = runs[EngineName.ISA].tensors[layer.output].copy()
    tensor[1, 3, 2, 1] += 1
    wrong = dataclasses.replace(runs[EngineName.ISA], tensors=runs[EngineName.ISA].tensors | {layer.output: tensor})
    (mismatch,) = compare_runs(program, runs | {EngineName.ISA: wrong})
    assert (mismatch.engine, mismatch.sample, mismatch.layer, mismatch.index) == ("isa", 1, layer.name, (3, 2, 1))
    assert mismatch.found == mismatch.expected + 1
    assert mismatch.differing == 1
    assert str(mismatch) == (
        f"isa, sample 1, layer {layer.name}, tensor {layer.output}, element (3, 2, 1) (1 differ): "
        f"{mismatch.found} instead of {mismatch.expected}"
    )


def test_one_wrong_checksum_is_named(program: Program, levels: np.ndarray, runs: dict[EngineName, EngineRun]) -> None:
    checksums = runs[EngineName.ISA].checksums.copy()
    checksums[2, 4] ^= 1
    wrong = dataclasses.replace(runs[EngineName.ISA], checksums=checksums, tensors={})
    (predicted,) = compare_predicted(program, EngineName.ISA, runs[EngineName.GOLDEN], wrong, inputs=levels)
    (between,) = compare_runs(program, runs | {EngineName.RTL: wrong})
    for mismatch, engine in ((predicted, "isa"), (between, "rtl")):
        assert (mismatch.engine, mismatch.sample, mismatch.layer, mismatch.index) == (
            engine,
            2,
            program.layers[4],
            None,
        )
        assert mismatch.found == mismatch.expected ^ 1


def test_checksums_are_predicted_from_the_golden_model_alone(
    program: Program, levels: np.ndarray, runs: dict[EngineName, EngineRun]
) -> None:
    golden, isa = runs[EngineName.GOLDEN], runs[EngineName.ISA]
    assert compare_predicted(program, EngineName.ISA, golden, isa, inputs=levels) == []
