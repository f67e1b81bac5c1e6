"""Taps of one constant weight over many lines become loops of a block."""

from __future__ import annotations

import dataclasses

import pytest
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.isa import BLOCK
from narrows.sw.compile import compile_graph
from random_graphs import CONFIGS


@pytest.mark.parametrize(
    ("size", "kernel", "loops"),
    [
        ((4, 6), (4, 4), (4, 4, 6)),
        ((4, 8), (3, 5), (3, 5, 8)),
        ((4, 4), (4, 4), (4, 4, 4)),
        ((4, 6), (1, 6), (3, 2, 2)),
    ],
)
def test_lines_of_a_window_are_a_blocks_groups(size, kernel, loops, builder, check):
    config = dataclasses.replace(CONFIGS["square"], taps=16)
    build = builder(config, 1)
    out = tuple(length - window + 1 for length, window in zip(size, kernel, strict=True))
    build.mac([build.segment(build.tensor((2, *size), DyBit(4)), None, kernel=kernel, levels=[1])], out)
    program = compile_graph(build.graph(["t1"]), config)
    check(program, 1)
    [block] = [BLOCK.decode(row.tolist()) for row in program.blocks]
    assert block["hold"] == 1
    assert (block["groups"], block["tap_count"], block["group_pitch"]) == loops
