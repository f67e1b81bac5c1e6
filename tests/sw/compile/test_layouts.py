"""Layouts: lines of tensors come as far apart as layers that read several of them need."""

from __future__ import annotations

import pytest
from narrows.hw.spec.formats import DyBit
from narrows.sw.compile import compile_graph
from random_graphs import CONFIGS, NATIVE_LEVELS

CONFIG = CONFIGS["square"]


@pytest.mark.parametrize("lines", [3, 4])
def test_a_plain_source_takes_the_pace_of_one_whose_lines_are_skipped(lines: int, builder, check) -> None:
    build = builder(CONFIG, 5)
    x = build.tensor((4, 12, 12), DyBit(4))
    skipped = {"stride": (lines, 1), "levels": NATIVE_LEVELS}
    size = (12 // lines, 12)
    large = build.mac([build.segment(x, 4, levels=NATIVE_LEVELS)], (12, 12), DyBit(4))
    small = build.mac([build.segment(x, 4, **skipped)], size, DyBit(4))
    both = build.mac([build.segment(large, 4, **skipped), build.segment(small, 4, levels=NATIVE_LEVELS)], size)
    program = compile_graph(build.graph([both]), CONFIG)
    check(program, 5)
    assert (program.layouts[large].phases, program.layouts[large].line) == ((1, 1), 12)
    assert (program.layouts[small].phases, program.layouts[small].line) == ((1, 1), 12 * lines)
