"""Averages over whole images: channel groups take the rows of the array where all channels are alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.isa import BLOCK, COMPUTE
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.runtime import Driver, run_sync
from random_graphs import CONFIGS, NATIVE_LEVELS, random_levels

SQUARE = CONFIGS["square"]


def averaged(build, channels, *, fmt=None):
    """An input, a layer that writes ``channels`` channels, and their averages."""
    source = build.tensor((3, 5, 4), DyBit(4))
    inner = build.mac([build.segment(source, channels, levels=NATIVE_LEVELS)], (5, 4), fmt)
    build.average(inner)
    return build.graph(["t2"]), inner


@pytest.mark.parametrize("name", ["square", "three rows", "more lanes"])
@pytest.mark.parametrize("factor", [2, 5])
def test_each_row_sums_a_channel_group(name, factor, builder, check):
    config = CONFIGS[name]
    graph, inner = averaged(builder(config, factor), factor * config.lanes)
    program = compile_graph(graph, config)
    assert program.layouts[inner].interleaved
    fields = COMPUTE.decode(program.instructions[1].tolist())
    assert (fields["out_width"], fields["rows"]) == (factor, min(factor, config.rows))
    assert fields["column_groups"] == config.lanes // config.columns
    blocks = program.blocks[fields["first_block"] :][: fields["block_count"]]
    steps = [(block := BLOCK.decode(row.tolist()))["groups"] * block["tap_count"] for row in blocks]
    assert sum(steps) == 5 * 4 * program.layouts[inner].planes
    check(program, factor)


@pytest.mark.parametrize("change", ["bias", "multiplicand", "shift", "channels"])
def test_channels_that_are_not_alike_stay_apart(change, builder, check):
    build = builder(SQUARE, 1)
    graph, inner = averaged(build, 2 * SQUARE.lanes - (change == "channels"))
    if change != "channels":
        last = graph.layers[-1]
        values = getattr(last, change).copy()
        values[3] += 1 if values[3] < 2 ** (SQUARE.rescale_bits - 1) else -1
        if change == "multiplicand":
            values[:] = 2 ** (SQUARE.rescale_bits - 1)
            values[3] += 1
        graph = dataclasses.replace(graph, layers=(*graph.layers[:-1], dataclasses.replace(last, **{change: values})))
    program = compile_graph(graph, SQUARE)
    assert not program.layouts[inner].interleaved
    check(program, 1)


def test_checksums_are_predicted_in_the_order_of_the_rows(builder):
    graph, _ = averaged(builder(SQUARE, 7), 6 * SQUARE.lanes)
    program = compile_graph(graph, SQUARE)
    levels = random_levels(graph, np.random.default_rng(7))
    golden = GoldenModel(graph, SQUARE).run(levels[np.newaxis])

    async def run():
        driver = Driver(IsaTransport(SQUARE), SQUARE)
        await driver.load(program)
        return await driver.infer(levels)

    expected = expected_checksums(program, {name: values[0] for name, values in golden.items()})
    assert run_sync(run()).checksums == expected
