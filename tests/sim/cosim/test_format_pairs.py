"""Weights and activations of any two formats on one core: every sum exact, and a pass takes what a pass takes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import parse_format
from narrows.hw.spec.words import pack_codes, unpack_codes
from narrows.sw.compile import compile_graph
from pair_bench import OUTPUT_FORMATS, PairBench, pair_passes
from program_batch import check_programs
from random_graphs import GraphBuilder, random_levels

CONFIG = AcceleratorConfig(
    rows=2,
    columns=4,
    lanes=4,
    acc_bits=32,
    rescale_bits=8,
    rescalers=2,
    planes=5,
    act_words=1024,
    weight_words=1024,
)
SEED = 20
PASSES = {
    ("dybit4", "dybit4"): 1,
    ("dybit2", "udybit2"): 1,
    ("int2", "uint2"): 1,
    ("dybit2", "dybit4"): 1,
    ("dybit4", "int8"): 3,
    ("int8", "dybit4"): 3,
    ("dybit4", "udybit4"): 3,
    ("int4", "int4"): 4,
    ("int4", "uint4"): 4,
    ("int8", "int8"): 9,
    ("int8", "uint8"): 9,
    ("dybit8", "int2"): 5,
    ("dybit8", "dybit8"): 25,
    ("dybit8", "udybit8"): 25,
}


@pytest.fixture(scope="module")
def bench():
    """Dot products of 26 products: the last of 7 words is half empty."""
    return PairBench(CONFIG, length=26, channels=64)


@pytest.fixture(scope="module")
def runs(bench):
    """For each pair its batches, one for each output format, with what the core made of them."""
    rng = np.random.default_rng(SEED)
    batches = {
        pair: [
            bench.make_batch(*map(parse_format, pair), output=output, samples=2, rng=rng) for output in OUTPUT_FORMATS
        ]
        for pair in PASSES
    }
    measured = iter(bench.run([batch for some in batches.values() for batch in some]))
    return {pair: [(batch, next(measured)) for batch in some] for pair, some in batches.items()}


@pytest.mark.parametrize("pair", PASSES, ids=" x ".join)
def test_every_output_is_the_golden_models_and_one_row_of_each_sample_tells_the_exact_sum(runs, pair) -> None:
    for batch, measured in runs[pair]:
        output = batch.program.graph.tensors["out"].format
        assert np.argwhere(measured.outputs != batch.golden).tolist() == [], f"{output}, seed {SEED}"
        assert batch.exact.any(axis=-1).all(), f"{output}, seed {SEED}"


@pytest.mark.parametrize("pair", PASSES, ids=" x ".join)
def test_a_pass_takes_the_steps_of_dybit4_and_no_cycle_lies_between_passes(bench, runs, pair) -> None:
    weights, activations = map(parse_format, pair)
    assert pair_passes(weights, activations, CONFIG.digits) == PASSES[pair]
    assert bench.pass_steps == 7 * 16
    reference = runs["dybit4", "dybit4"][0][1].counts[0]
    assert reference.busy == bench.pass_steps and reference.stall_drain == 0
    for batch, measured in runs[pair]:
        assert set(measured.counts) == {batch.counts}
        assert batch.counts.busy == PASSES[pair] * bench.pass_steps
        assert batch.counts.stall_walk == reference.stall_walk
    (same_output, _), *_ = runs[pair]
    assert same_output.counts == dataclasses.replace(
        reference, busy=PASSES[pair] * reference.busy, cycles=reference.cycles + (PASSES[pair] - 1) * reference.busy
    )


def test_layers_of_one_program_each_choose_their_formats() -> None:
    chain = [("dybit4", "int8"), ("int8", "dybit8"), ("dybit8", "udybit4"), ("int4", "int4"), ("dybit2", "uint8")]
    build = GraphBuilder(CONFIG, np.random.default_rng(SEED))
    source = build.tensor((8, 2, 3), parse_format("int8"))
    for (weights, _), (_, output) in zip(chain, [*chain[1:], ("", "dybit4")], strict=True):
        levels = parse_format(weights).levels
        segment = build.segment(source, 8, levels=np.append(levels, [levels[-1]] * len(levels)))
        source = build.mac([segment], (2, 3), parse_format(output))
    graph = build.graph([source])
    samples = np.stack([random_levels(graph, build.rng) for _ in range(3)])
    (report,) = check_programs(CONFIG, [(compile_graph(graph, CONFIG), samples)])
    assert report["differences"] == [], f"seed {SEED}"
    steps = 2 * 2 * 3  # channel groups, column groups, pairs of pixels
    assert report["busy"] == [steps * (1 * 3 + 3 * 5 + 5 * 3 + 2 * 2 + 1 * 3)] * 3


def test_a_weight_that_is_wrong_by_its_smallest_step_changes_every_exact_output_that_it_reaches(bench) -> None:
    rng = np.random.default_rng(SEED)
    int8 = parse_format("int8")
    batch = bench.make_batch(int8, int8, output=int8, samples=3, rng=rng)
    words = batch.program.weights.copy()
    codes = unpack_codes(words[:7], CONFIG.columns * CONFIG.lanes, 4)  # the first tile's words of the lowest digit
    codes = codes.reshape(7, CONFIG.columns, CONFIG.lanes)
    before = CONFIG.digits.from_planes(codes[3, 2, 1][np.newaxis])
    codes[3, 2, 1] ^= 1  # channel 2, lane 1 of group 3
    assert abs(int(CONFIG.digits.from_planes(codes[3, 2, 1][np.newaxis]) - before)) in (1, 2)
    words[:7] = pack_codes(codes.reshape(7, -1), 4)
    wrong = dataclasses.replace(batch, program=dataclasses.replace(batch.program, weights=words))
    differs = bench.run([wrong])[0].outputs != batch.golden
    assert not np.delete(differs, 2, axis=1).any()
    reached = batch.exact[:, 2] & (batch.levels[:, 3 * CONFIG.lanes + 1] != 0)
    assert reached.any() and differs[:, 2][reached].all(), f"seed {SEED}"
    assert not differs[:, 2][batch.levels[:, 3 * CONFIG.lanes + 1] == 0].any()
