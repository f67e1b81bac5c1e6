"""What a program says of its instructions."""

from __future__ import annotations

from narrows.hw.spec.formats import DyBit
from narrows.sw.compile import compile_graph
from random_graphs import CONFIGS, NATIVE_LEVELS


def test_the_end_of_a_program_of_one_layer_is_no_layers(builder):
    build = builder(CONFIGS["square"], 1)
    build.mac([build.segment(build.tensor((8, 4, 4), DyBit(4)), 4, levels=NATIVE_LEVELS)], (4, 4))
    assert compile_graph(build.graph(["t1"]), CONFIGS["square"]).layers == ("l0", "")
