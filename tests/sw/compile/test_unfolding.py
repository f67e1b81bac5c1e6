"""Inputs of few channels: taps share words, and nothing else changes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.isa import BLOCK, COMPUTE
from narrows.sw.compile import compile_graph
from random_graphs import CONFIGS, NATIVE_LEVELS, SAME, random_levels

WIDE = CONFIGS["more lanes"]


def steps_of(program, index=0):
    """Words that an instruction reads for a tile."""
    fields = COMPUTE.decode(program.instructions[index].tolist())
    rows = program.blocks[fields["first_block"] : fields["first_block"] + fields["block_count"]]
    blocks = [BLOCK.decode(row.tolist()) for row in rows]
    return sum(block["groups"] * block["tap_count"] for block in blocks)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (1, 2), (3, 2)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 2)])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_a_window_takes_as_many_words_as_its_values_fill(channels, stride, dilation, builder, check):
    build = builder(WIDE, channels)
    source = build.tensor((channels, 9, 8), Int(8))
    out = tuple((size + 2 - 2 * gap - 1) // step + 1 for size, gap, step in zip((9, 8), dilation, stride, strict=True))
    build.mac([build.segment(source, 5, **SAME, stride=stride, dilation=dilation, levels=NATIVE_LEVELS)], out, DyBit(4))
    program = compile_graph(build.graph(["t1"]), WIDE)
    check(program, channels)
    assert steps_of(program) == 3 * -(-9 * channels // WIDE.lanes)


@pytest.mark.parametrize(("act_words", "kernel", "steps"), [(2048, (3, 3), 6), (1024, (1, 3), 9)])
def test_where_memory_is_short_a_pixel_holds_fewer_lines(act_words, kernel, steps, builder, check):
    config = dataclasses.replace(WIDE, act_words=act_words)
    build = builder(config, 2)
    source = build.tensor((3, 13, 13), Int(8))
    build.mac([build.segment(source, 4, **SAME, levels=NATIVE_LEVELS)], (13, 13), DyBit(4))
    program = compile_graph(build.graph(["t1"]), config)
    assert program.layouts[source].unfold.kernel == kernel
    assert steps_of(program) == steps
    check(program, 2)


def test_an_input_with_two_readers_stays_as_it_is(builder, check):
    build = builder(WIDE, 3)
    source = build.tensor((3, 6, 6), DyBit(4))
    first = build.mac([build.segment(source, 4, **SAME, levels=NATIVE_LEVELS)], (6, 6))
    build.mac([build.segment(first, 3, levels=NATIVE_LEVELS), build.segment(source, None, levels=[8])], (6, 6))
    program = compile_graph(build.graph(["t2"]), WIDE)
    assert program.layouts[source].unfold is None
    check(program, 3)


def test_the_host_gives_samples_in_the_model_s_own_shape(builder):
    build = builder(WIDE, 4)
    source = build.tensor((3, 6, 6), DyBit(4))
    build.mac([build.segment(source, 4, **SAME, levels=NATIVE_LEVELS)], (6, 6))
    program = compile_graph(build.graph(["t1"]), WIDE)
    assert random_levels(program.graph, np.random.default_rng(0)).shape == (3, 6, 6)
    assert program.layouts[source].unfold is not None
