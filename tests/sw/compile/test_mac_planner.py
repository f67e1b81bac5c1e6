"""Multiply-accumulate layers on the array: ranges of channels, and which layouts are made for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.sw.compile.layouts import choose_layouts
from narrows.sw.compile.mac_planner import MacPlanner
from narrows.sw.errors import CapacityError
from random_graphs import CONFIGS, SAME, GraphBuilder
from random_products import PRODUCT_CONFIGS, held_segment

CONFIG = dataclasses.replace(CONFIGS["square"], columns=4, lanes=8)


def planners(config, *outputs: int | None) -> list[MacPlanner]:
    """Of convolutions one after the other; depthwise where the number of output channels is None."""
    build = GraphBuilder(config, np.random.default_rng(1))
    source = build.tensor((3, 5, 5))
    for each in outputs:
        source = build.mac([build.segment(source, each, **SAME, levels=[1, -2])], (5, 5))
    graph = build.graph([source])
    return [MacPlanner(layer, graph, config) for layer in graph.layers]


def test_ranges_of_a_depthwise_layer_hold_whole_channel_periods() -> None:
    assert [planner.unit for planner in planners(CONFIG, 8, None)] == [1, 2]


@pytest.mark.parametrize("columns", [2, 4, 8, 16])
@pytest.mark.parametrize("channels", [3, 8, 9, 24, 40])
def test_the_steps_of_a_tile_are_those_of_its_blocks(channels: int, columns: int) -> None:
    config = dataclasses.replace(CONFIG, columns=columns)
    for planner in planners(config, channels, None, channels):
        layouts = choose_layouts(planner.graph, config)
        assert planner.steps(layouts) == planner.lower(layouts).steps


def test_windows_of_the_input_alone_are_packed_into_lanes() -> None:
    first, second = planners(CONFIG, 8, 8)
    layouts = choose_layouts(first.graph, CONFIG)
    assert all(layout.unfold is not None for layout in first.packed(first.layer.sources[0], layouts))
    assert first.packed(first.layer.sources[0], layouts)
    assert second.packed(second.layer.sources[0], layouts) == []


def test_products_are_not_cut_into_bands() -> None:
    config = PRODUCT_CONFIGS["square"]
    build = GraphBuilder(config, np.random.default_rng(1))
    source = build.tensor((4, 2, 2))
    output = build.mac([held_segment(build, source, source, depthwise=True)], (2, 2))
    (planner,) = (MacPlanner(layer, build.graph([output]), config) for layer in build.layers)
    assert not planner.in_columns(source)
    with pytest.raises(CapacityError, match=r"^layer 'l0' multiplies two tensors"):
        planner.check_bands()
    planners(CONFIG, 8)[0].check_bands()
