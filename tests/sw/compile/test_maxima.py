"""Max-pools on cores without a unit for them: sums and differences that give the same levels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit, Format, Int
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError
from narrows.sw.quantised import MaxLayer
from random_graphs import CONFIGS, NATIVE_LEVELS, random_levels, size_out

WITHOUT = dataclasses.replace(CONFIGS["square"], max_pool=0, taps=1024, blocks=256, act_words=8192, instructions=64)


def pooled(build, fmt: Format, size=(9, 10), **window):
    """A layer that writes a format, and a max-pool of it."""
    source = build.tensor((5, *size), DyBit(4))
    inner = build.mac([build.segment(source, 6, levels=NATIVE_LEVELS)], size, fmt)
    window = {"pads": (0, 0, 0, 0), "dilation": (1, 1)} | window
    return build.graph([build.max(inner, size_out(size, **window), **window)])


@pytest.mark.parametrize("fmt", [DyBit(4), Int(8), Int(4), Int(8, signed=False)], ids=str)
@pytest.mark.parametrize(
    "window",
    [
        {"kernel": (2, 2), "stride": (2, 2)},
        {"kernel": (3, 3), "stride": (1, 1)},
        {"kernel": (3, 2), "stride": (2, 3)},
        {"kernel": (1, 4), "stride": (2, 1)},
        {"kernel": (1, 1), "stride": (2, 2)},
        {"kernel": (2, 2), "stride": (1, 1), "dilation": (2, 3)},
    ],
    ids=str,
)
def test_levels_are_those_of_the_max_pool(fmt: Format, window, builder, check) -> None:
    graph = pooled(builder(WITHOUT, 31), fmt, **window)
    program = compile_graph(graph, WITHOUT)
    assert not any(isinstance(layer, MaxLayer) for layer in program.graph.layers)
    check(program, 31)
    levels = random_levels(graph, np.random.default_rng(31))[np.newaxis]
    wanted, got = (GoldenModel(each, WITHOUT).run(levels) for each in (graph, program.graph))
    (output,) = graph.output_tensors
    np.testing.assert_array_equal(got[output], wanted[output])


def test_padding_is_never_the_largest_where_no_level_lies_below_zero(builder, check) -> None:
    build = builder(WITHOUT, 32)
    inner_of = pooled(build, Int(8, signed=False), kernel=(3, 3), stride=(2, 2), pads=(1, 1, 1, 1))
    (name,) = {layer.source for layer in inner_of.layers if isinstance(layer, MaxLayer)}
    for zero, taken in ((0, True), (7, False)):
        tensors = {
            each: dataclasses.replace(tensor, zero=zero) if each in (name, *inner_of.output_tensors) else tensor
            for each, tensor in inner_of.tensors.items()
        }
        graph = dataclasses.replace(inner_of, tensors=tensors)
        if not taken:
            with pytest.raises(CapacityError, match="max-pool unit, the configuration has 0"):
                compile_graph(graph, WITHOUT)
            continue
        program = compile_graph(graph, WITHOUT)
        check(program, 32)
        levels = random_levels(graph, np.random.default_rng(32))[np.newaxis]
        wanted, got = (GoldenModel(each, WITHOUT).run(levels) for each in (graph, program.graph))
        (output,) = graph.output_tensors
        np.testing.assert_array_equal(got[output], wanted[output])


def test_differences_of_too_many_digits_are_refused(builder) -> None:
    narrow = dataclasses.replace(WITHOUT, planes=1)
    graph = pooled(builder(narrow, 33), DyBit(4), kernel=(2, 2), stride=(2, 2))
    with pytest.raises(CapacityError, match="max-pool unit, the configuration has 0"):
        compile_graph(graph, narrow)
