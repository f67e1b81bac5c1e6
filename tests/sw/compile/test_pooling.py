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
from narrows.sw.compile.layouts import choose_layouts
from narrows.sw.compile.pooling import group_output, group_walk, pooled_source, pools_groups
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


def unlike(layer, place):
    """The layer with one weight of a channel changed."""
    (segment,) = layer.segments
    weights = segment.weights.copy()
    weights[place] += 1
    return dataclasses.replace(layer, segments=(dataclasses.replace(segment, weights=weights),))


def with_segment(layer, **changes):
    (segment,) = layer.segments
    return dataclasses.replace(layer, segments=(dataclasses.replace(segment, **changes),))


def test_groups_are_pooled_only_where_all_of_them_are_alike(builder):
    graph, _ = averaged(builder(SQUARE, 1), 2 * SQUARE.lanes)
    layer = graph.layers[-1]
    assert pools_groups(layer, graph, SQUARE)
    last = len(layer.bias) - 1
    assert not pools_groups(unlike(layer, (last, 0, 4, 3)), graph, SQUARE)
    everywhere = unlike(layer, (slice(None), 0, 2, 1))
    assert pools_groups(everywhere, graph, SQUARE), "weights may differ from pixel to pixel"
    assert not pools_groups(with_segment(layer, pads=(0, 0, 1, 0)), graph, SQUARE)
    assert not pools_groups(with_segment(layer, inset=(0, 1, 0, 0)), graph, SQUARE)
    assert not pools_groups(dataclasses.replace(layer, segments=layer.segments * 2), graph, SQUARE)
    assert not pools_groups(graph.layers[0], graph, SQUARE)
    tensors = graph.tensors | {layer.output: dataclasses.replace(graph.tensors[layer.output], shape=(8, 2, 1))}
    assert not pools_groups(layer, dataclasses.replace(graph, tensors=tensors), SQUARE)
    odd = CONFIGS["odd columns"]  # six columns do not fill groups of four lanes
    other, _ = averaged(builder(odd, 1), 2 * odd.lanes)
    assert not pools_groups(other.layers[-1], other, odd)


@pytest.mark.parametrize(("factor", "rows", "groups"), [(3, 3, 1), (4, 4, 1), (5, 4, 2), (9, 4, 3)])
def test_the_walk_over_channel_groups(factor, rows, groups, builder):
    graph, inner = averaged(builder(SQUARE, 1), factor * SQUARE.lanes)
    layouts = choose_layouts(graph, SQUARE)
    assert layouts[inner].interleaved
    assert pooled_source(graph.layers[-1], layouts) is layouts[inner]
    assert pooled_source(graph.layers[0], layouts) is None
    out = layouts[graph.layers[-1].output]
    walk = group_walk(layouts[inner], out, SQUARE)
    assert (walk.rows, walk.wrap, walk.origin_step, walk.origin_line, walk.groups) == (rows, 1, rows, 0, groups)
    fields = group_output(out)
    assert (fields["out_height"], fields["out_width"]) == (1, factor)
    assert fields["out_dx_even"] == fields["out_dx_odd"] == out.group_pitch


DRAINED = dataclasses.replace(SQUARE, rows=5, columns=8, lanes=8, drain_rows=4, rescalers=4)  # eight banks


@pytest.mark.parametrize(("pitch", "rows"), [(1, 5), (2, 5), (3, 5), (4, 2), (8, 1), (12, 2)])
def test_groups_that_are_drained_side_by_side_go_to_different_banks(pitch, rows, builder):
    graph, inner = averaged(builder(DRAINED, 1), 7 * DRAINED.lanes)
    layouts = choose_layouts(graph, DRAINED)
    out = dataclasses.replace(layouts[graph.layers[-1].output], planes=1, line=pitch, height=1, width=1)
    assert out.group_pitch == pitch
    walk = group_walk(layouts[inner], out, DRAINED)
    assert (walk.rows, walk.groups) == (rows, -(-7 // rows))
    banks = [[row * pitch % DRAINED.banks for row in range(first, min(first + 4, rows))] for first in range(0, rows, 4)]
    assert all(len(set(each)) == len(each) for each in banks)


@pytest.mark.parametrize("seed", range(4))
def test_an_average_whose_output_is_spread_for_its_reader_is_drained_apart(seed, builder, check):
    """Its reader's pace, of two pixels, makes the pitch of its output's groups half of the banks."""
    build = builder(DRAINED, seed)
    inner = build.mac([build.segment(build.tensor((3, 2, 2), DyBit(4)), 24, levels=NATIVE_LEVELS)], (2, 2))
    pooled = build.average(inner)
    build.mac([build.segment(pooled, 7, kernel=(2, 2), pads=(1, 1, 1, 1), levels=NATIVE_LEVELS)], (2, 2))
    check(compile_graph(build.graph(["t3"]), DRAINED), seed)
