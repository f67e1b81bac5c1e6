"""Bands hold just the lines that their outputs read, in whole phases of the source."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.layout import TensorLayout
from narrows.sw.compile.bands import ActivationPlan, plan_activations
from narrows.sw.compile.layouts import choose_layouts
from narrows.sw.quantised import MacLayer, QuantisedGraph
from random_graphs import CONFIGS, GraphBuilder, size_out

CONFIG = dataclasses.replace(CONFIGS["square"], backing="axi4", act_words=1024, instructions=1024)
GEOMETRIES = [
    {"kernel": kernel, "stride": (2, 2), "pads": pads, "dilation": dilation}
    for kernel in ((3, 3), (2, 2), (1, 1), (5, 3))
    for pads in ((0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 1))
    for dilation in ((1, 1), (2, 1))
    if kernel != (1, 1) or not any(pads)
]


def strided(geometry: dict[str, tuple[int, ...]], size: int = 40) -> QuantisedGraph:
    """Two layers of such windows, one behind the other, on tensors that do not fit the chip."""
    build = GraphBuilder(CONFIG, np.random.default_rng(3))
    source, here = build.tensor((8, size, size), DyBit(4)), (size, size)
    for _ in range(2):
        here = size_out(here, **geometry)
        source = build.mac([build.segment(source, 8, levels=DyBit(4).levels, **geometry)], here, DyBit(4))
    return build.graph([source])


def planned(
    geometry: dict[str, tuple[int, ...]],
) -> tuple[QuantisedGraph, dict[str, TensorLayout], ActivationPlan]:
    """Such layers, where their tensors lie, and the bands that they are cut into."""
    graph = strided(geometry)
    layouts = choose_layouts(graph, CONFIG, packed=False)
    return graph, layouts, plan_activations(graph, CONFIG, layouts)


def touched(layer: MacLayer, first: int, end: int, height: int) -> set[int]:
    """Lines of the source from the first one that output lines read to the last, counted one by one."""
    (segment,) = layer.segments
    taps = range(segment.weights.shape[2])
    lines = {
        line * segment.stride[0] - segment.pads[0] + tap * segment.dilation[0]
        for line in range(first, end)
        for tap in taps
    }
    return set(range(min(lines), max(lines) + 1)) & set(range(height))


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda each: "-".join(f"{k[0]}{v}" for k, v in each.items()))
def test_bands_are_what_their_lines_touch_in_whole_phases(geometry: dict[str, tuple[int, ...]]) -> None:
    graph, layouts, plan = planned(geometry)
    assert plan.external
    for layer in graph.layers:
        assert isinstance(layer, MacLayer)
        bands, name = plan.layers[layer.name].bands, layer.sources[0]
        height, phase = layouts[name].height, layouts[name].phases[0]
        assert [band.first for band in bands] == [0, *(band.end for band in bands[:-1])]
        assert bands[-1].end == layouts[layer.output].height
        for band in bands:
            lines = touched(layer, band.first, band.end, height)
            low, high = band.reads[name]
            if name not in plan.external:
                assert (low, high) == (0, height)
                continue
            assert high == max(lines) + 1
            assert low % phase == 0 and low <= min(lines) < low + phase


def test_some_of_these_bands_begin_within_a_phase() -> None:
    """Without these the test above could not tell whether lines are rounded to phases at all."""
    found = 0
    for geometry in GEOMETRIES:
        graph, layouts, plan = planned(geometry)
        for layer in graph.layers:
            assert isinstance(layer, MacLayer)
            name = layer.sources[0]
            for band in plan.layers[layer.name].bands if name in plan.external else ():
                lines = touched(layer, band.first, band.end, layouts[name].height)
                found += min(lines) % layouts[name].phases[0] != 0
    assert found >= 10


def test_outputs_of_a_band_are_whole_phases_too() -> None:
    cut = 0
    for geometry in GEOMETRIES:
        graph, layouts, plan = planned(geometry)
        for layer in graph.layers:
            phase = layouts[layer.output].phases[0]
            bands = plan.layers[layer.name].bands
            assert all(band.first % phase == 0 for band in bands)
            cut += phase == 2 and len(bands) > 1
    assert cut >= 5
