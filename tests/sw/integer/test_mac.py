"""MAC layers: sums become the nearest levels, and what is rounded is the same in whatever numbers it is computed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit, Format, Int
from narrows.hw.spec.tables import look_up
from narrows.sim.golden import GoldenModel
from narrows.sw.enlarging import enlarged
from narrows.sw.integer.segments import sum_bounds
from narrows.sw.quantised import LevelTable, MacLayer, QuantisedGraph, QuantisedTensor, Segment
from numpy.typing import NDArray
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_enlarging, random_levels
from random_products import PRODUCT_CONFIGS, random_products


def tensor(name: str, low: int, high: int, zero: int = 0, fmt: Format | None = None, channels: int = 2):
    return QuantisedTensor(
        name=name, shape=(channels, 1, 1), format=fmt or Int(4), scale=1.0, zero=zero, low=low, high=high
    )


def nearest(value: Fraction, output: QuantisedTensor) -> int:
    """The nearest level, the upper of two, within the clamp."""
    found = max(output.format.levels.tolist(), key=lambda level: (-abs(value - level), level))
    return min(max(found, output.low), output.high)


@pytest.mark.parametrize("fmt", [Int(4), DyBit(4), Int(8)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_sums_become_the_nearest_levels_of_the_output(fmt: Format, seed: int) -> None:
    rng = np.random.default_rng(seed)
    output = tensor("y", int(fmt.levels[1]), int(fmt.levels[-2]), zero=int(fmt.levels[3]), fmt=fmt, channels=3)
    tensors = {"a": tensor("a", -8, 7), "y": output}
    layer = MacLayer(
        name="layer",
        segments=(Segment(source="a", weights=rng.integers(-7, 8, (3, 2, 1, 1))),),
        bias=rng.integers(-20, 20, 3),
        multiplicand=rng.integers(1, 16, 3),
        shift=np.array([0, 1, 5]),
        cert_bits=16,
        output="y",
    )
    low, high = sum_bounds(layer.segments, tensors)
    sums = np.arange(low.min(), high.max() + 1)
    found = layer.drain(tensors)(np.tile(sums.astype(np.float64), (3, 1)))
    for channel in range(3):
        m, s = int(layer.multiplicand[channel]), int(layer.shift[channel])
        wanted = [
            nearest(Fraction(int(each + layer.bias[channel]) * m, 1 << s) + output.zero, output)
            for each in sums[(sums >= low[channel]) & (sums <= high[channel])]
        ]
        inside = found[channel][(sums >= low[channel]) & (sums <= high[channel])]
        np.testing.assert_array_equal(inside, wanted, err_msg=f"seed {seed}, channel {channel}")


def test_a_table_takes_its_own_zero_and_clamp_and_gives_what_it_holds() -> None:
    holds: NDArray[np.int64] = (np.arange(-127, 128) // 16).astype(np.int64)
    table = LevelTable(zero=5, low=-20, high=30, levels=holds)
    tensors = {"a": tensor("a", -8, 7), "y": tensor("y", -8, 7, zero=1, channels=1)}
    layer = MacLayer(
        name="layer",
        segments=(Segment(source="a", weights=np.full((1, 2, 1, 1), 7)),),
        bias=np.array([0]),
        multiplicand=np.array([1]),
        shift=np.array([1]),
        cert_bits=16,
        output="y",
        table=table,
    )
    sums = np.arange(-112, 99)
    integers = np.clip(np.floor((sums + 1) / 2).astype(int) + 5, -20, 30)
    np.testing.assert_array_equal(layer.drain(tensors)(sums[np.newaxis].astype(float))[0], integers // 16)


def rounded(layer: MacLayer, graph: QuantisedGraph, levels: dict[str, NDArray]) -> NDArray[np.int64]:
    """A layer's levels from what it rounds."""
    output = graph.tensors[layer.output]
    clamp = layer.table or output
    values = layer.unrounded(graph.tensors, {name: levels[name].astype(np.float64) for name in layer.sources})
    places = enlarged(values, layer.enlarge) + clamp.zero
    if layer.table is None:
        return np.clip(output.format.quantise(places), clamp.low, clamp.high)
    return look_up(layer.table.levels, np.clip(np.floor(places + 0.5), clamp.low, clamp.high).astype(np.int64))


def drawn(seed: int):
    rng = np.random.default_rng(seed)
    yield random_chain(GraphBuilder(CONFIGS["tables"], rng), 4), CONFIGS["tables"]
    yield random_enlarging(GraphBuilder(CONFIGS["square"], rng)), CONFIGS["square"]
    yield random_products(GraphBuilder(PRODUCT_CONFIGS["square"], rng), 2), PRODUCT_CONFIGS["square"]


def test_what_is_rounded_gives_the_levels_of_the_golden_model() -> None:
    seen = {"insets": 0, "products": 0, "tables": 0, "enlarging": 0}
    for seed in range(12):
        for graph, config in drawn(seed):
            rng = np.random.default_rng(seed)
            levels = GoldenModel(graph, config).run(np.stack([random_levels(graph, rng) for _ in range(2)]))
            for layer in graph.layers:
                if layer.unrounded(graph.tensors, levels) is None:
                    continue
                seen["insets"] += any(any(segment.inset) for segment in layer.segments)
                seen["products"] += bool(layer.products)
                seen["tables"] += layer.table is not None
                seen["enlarging"] += layer.enlarge != (1, 1)
                found = rounded(layer, graph, levels)
                np.testing.assert_array_equal(found, levels[layer.output], err_msg=f"seed {seed}, {layer.name}")
    assert min(seen.values()) > 0


def test_lanes_without_channels_hold_what_sums_of_nothing_become() -> None:
    config = CONFIGS["square"]
    output = tensor("y", 1, 7, zero=-3, channels=3)
    layer = MacLayer(
        name="layer",
        segments=(Segment(source="a", weights=np.ones((3, 2, 1, 1), dtype=np.int64)),),
        bias=np.zeros(3, dtype=np.int64),
        multiplicand=np.full(3, 128),
        shift=np.full(3, 7),
        cert_bits=8,
        output="y",
    )
    levels = np.array([4, 5, 6]).reshape(3, 1, 1)
    assert layer.lanes(levels, {}, {"y": output}, config).ravel().tolist() == [4, 5, 6, 1]
