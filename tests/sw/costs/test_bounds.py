"""Bounds of layers: the formula by hand, and no program below it."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Int
from narrows.sw.compile import compile_graph
from narrows.sw.compile.planners import planner_of
from narrows.sw.costs.bounds import layer_bounds
from narrows.sw.costs.work import layer_work
from narrows.sw.errors import CapacityError
from random_graphs import CONFIGS, NATIVE_LEVELS, SAME, GraphBuilder, random_chain
from random_products import PRODUCT_CONFIGS, random_products

CONFIG = AcceleratorConfig(acc_bits=24, act_words=16384, weight_words=4096, taps=512)


def test_a_small_network_is_bound_by_what_its_shape_says() -> None:
    build = GraphBuilder(CONFIG, np.random.default_rng(0))
    source = build.tensor((3, 16, 16), Int(8))
    first = build.mac([build.segment(source, 16, **SAME, levels=NATIVE_LEVELS)], (16, 16), DyBit(4))
    second = [build.segment(first, 16, **SAME, levels=NATIVE_LEVELS), build.segment(first, None, levels=[13, 40])]
    inner = build.mac(second, (16, 16), DyBit(4))
    last = build.mac([build.segment(inner, 64, levels=NATIVE_LEVELS)], (16, 16), DyBit(4))
    build.average(last)
    program = compile_graph(build.graph(["t4"]), CONFIG)
    bounds = layer_bounds(program)
    least = [planner_of(layer, program.graph, CONFIG).least(program.layouts) for layer in program.graph.layers]
    tiles = 64 * 4
    assert [each.array for each in least] == [tiles * 3 * 2, tiles * (9 + 2), 4 * tiles, 256 * 4]
    assert [each.drain for each in least[:2]] == [256 * 4, 256 * 4]
    assert bounds[0].array == least[0].array + least[0].latency, "nothing hides how long the first results take"
    for bound, work in zip(bounds, layer_work(program), strict=True):
        assert bound.name == work.name
        assert 0.9 * work.cycles <= bound.cycles <= work.cycles, bound


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["square", "more lanes", "two rows drained"])
def test_no_program_is_faster(name: str, seed: int) -> None:
    config = CONFIGS[name]
    try:
        program = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 4), config)
    except CapacityError:
        pytest.skip("does not fit")
    for bound, work in zip(layer_bounds(program), layer_work(program), strict=True):
        assert bound.cycles <= work.cycles, (bound, work)


@pytest.mark.parametrize("seed", range(6))
def test_no_program_of_products_is_faster(seed: int) -> None:
    config = PRODUCT_CONFIGS["square"]
    program = compile_graph(random_products(GraphBuilder(config, np.random.default_rng(seed)), 3), config)
    for bound, work in zip(layer_bounds(program), layer_work(program), strict=True):
        assert bound.cycles <= work.cycles, (bound, work)
