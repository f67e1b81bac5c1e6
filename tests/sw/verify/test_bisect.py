"""bisect: the first wrong element is the one that is written first, and its tile is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName, EngineRun
from narrows.sw.program import Program
from narrows.sw.verify.bisect import bisect, first_wrong
from narrows.sw.verify.comparison import Comparison, Mismatch, compare_runs
from random_graphs import CONFIGS, GraphBuilder


@pytest.fixture
def golden(tiny_program: Program, tiny_levels: np.ndarray) -> EngineRun:
    tensors = GoldenModel(tiny_program.graph, tiny_program.config).run(tiny_levels[np.newaxis])
    return EngineRun(outputs={"pooled": tensors["pooled"]}, tensors=tensors)


def spoilt(golden: EngineRun, tensor: str, *places: tuple[int, int, int]) -> EngineRun:
    """The same with elements of a tensor that are one too large."""
    wrong = golden.tensors[tensor].copy()
    for place in places:
        wrong[(0, *place)] += 1
    return dataclasses.replace(golden, tensors=golden.tensors | {tensor: wrong})


def find(program: Program, golden: EngineRun, run: EngineRun, levels: np.ndarray, folder: Path):
    runs = {EngineName.GOLDEN: golden, EngineName.ISA: run}
    comparison = Comparison(runs=runs, mismatches=compare_runs(program, runs))
    return bisect(program, comparison, levels[np.newaxis], folder=folder)


def test_the_first_element_in_the_order_of_writing(
    tiny_program: Program, tiny_levels: np.ndarray, golden: EngineRun, tmp_path: Path
) -> None:
    # two pixels a group that run on over line ends, four columns: (5, 0, 2) is in group 1, (0, 4, 4) in group 14
    run = spoilt(golden, "features", (0, 4, 4), (5, 0, 2), (1, 1, 1))
    culprit = find(tiny_program, golden, run, tiny_levels, tmp_path)
    assert (culprit.layer, culprit.instruction, culprit.tile, culprit.element) == ("conv", 0, (1, 1), (5, 0, 2))
    assert culprit.found == culprit.expected + 1
    assert culprit.cycle is None and culprit.cycles[0] < culprit.cycles[1]
    assert list(tmp_path.iterdir()) == []
    assert "tile (pixel group 1, column group 1), element (5, 0, 2) of features" in str(culprit)


def test_the_earliest_layer_counts(
    tiny_program: Program, tiny_levels: np.ndarray, golden: EngineRun, tmp_path: Path
) -> None:
    run = spoilt(spoilt(golden, "pooled", (0, 0, 0)), "features", (3, 4, 5))
    assert find(tiny_program, golden, run, tiny_levels, tmp_path).layer == "conv"


def test_of_a_layer_that_enlarges_every_element_is_written_by_its_phase() -> None:
    config = CONFIGS["square"]
    build = GraphBuilder(config, np.random.default_rng(0))
    source = build.tensor((3, 4, 5), DyBit(4))
    output = build.mac([build.segment(source, 6 * 6, levels=DyBit(4).levels)], (4, 5), DyBit(4), enlarge=(2, 3))
    program = compile_graph(build.graph([output]), config)
    expected = np.zeros((6, 8, 15), dtype=np.int64)
    for channel, y, x in ((0, 0, 0), (5, 3, 7), (2, 7, 14), (4, 6, 1)):
        found = expected.copy()
        found[channel, y, x] = 1
        place = (channel, y, x)
        mismatch = Mismatch(
            engine="isa", sample=0, layer="l0", tensor=output, index=place, expected=0, found=1, differing=1
        )
        culprit = first_wrong(program, mismatch, expected, found)
        assert culprit.instruction == (y % 2) * 3 + x % 3
        pixel, columns = y // 2 * 5 + x // 3, config.columns
        assert culprit.tile == (pixel // config.rows, channel // columns)


def test_a_max_pool_has_a_tile_for_each_pixel(tiny_program: Program, golden: EngineRun) -> None:
    expected = golden.tensors["pooled"][0]
    found = spoilt(golden, "pooled", (5, 1, 2), (1, 1, 2)).tensors["pooled"][0]
    mismatch = Mismatch(
        engine="rtl", sample=0, layer="pool", tensor="pooled", index=(1, 1, 2), expected=0, found=0, differing=2
    )
    culprit = first_wrong(tiny_program, mismatch, expected, found)
    assert (culprit.instruction, culprit.tile, culprit.element) == (1, (5, 0), (1, 1, 2))


def test_checksums_alone_name_no_element(tiny_program: Program, golden: EngineRun, tiny_levels: np.ndarray) -> None:
    mismatch = Mismatch(
        engine="rtl", sample=0, layer="pool", tensor="pooled", index=None, expected=1, found=2, differing=0
    )
    comparison = Comparison(runs={EngineName.GOLDEN: golden}, mismatches=[mismatch])
    assert bisect(tiny_program, comparison, tiny_levels[np.newaxis], folder=Path()) is None
