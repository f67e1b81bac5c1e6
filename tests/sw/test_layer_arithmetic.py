"""What exact arithmetic is to know of a layer: bounds that are reached and never passed, and what becomes of sums."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from narrows.hw.spec.formats import DyBit, Format, Int
from narrows.sw.layer_arithmetic import drain_of, exact_sources, sum_bounds
from narrows.sw.quantised import HeldSegment, LevelTable, MacLayer, QuantisedTensor, Segment
from numpy.typing import NDArray


def tensor(name: str, low: int, high: int, zero: int = 0, fmt: Format | None = None, channels: int = 2):
    return QuantisedTensor(
        name=name, shape=(channels, 1, 1), format=fmt or Int(4), scale=1.0, zero=zero, low=low, high=high
    )


def levels(source: QuantisedTensor) -> list[tuple[int, ...]]:
    """All that the tensor's channels can hold."""
    low, high = source.span
    return list(itertools.product(range(low, high + 1), repeat=source.shape[0]))


@pytest.mark.parametrize("seed", range(5))
def test_bounds_are_the_least_and_the_largest_of_all_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # the zero level of the first lies beyond its clamp, the clamp of the second does not hold 0: both do count
    tensors = {"a": tensor("a", -1, 2, zero=-3), "b": tensor("b", 1, 4, zero=2)}
    dense = Segment(source="a", weights=rng.integers(-7, 8, (2, 2, 1, 1)))
    by_channel = Segment(source="b", weights=rng.integers(-7, 8, (2, 1, 1, 1)), depthwise=True)
    sums = [
        dense.weights[:, :, 0, 0] @ np.array(a) + by_channel.weights[:, 0, 0, 0] * np.array(b)
        for a in levels(tensors["a"])
        for b in levels(tensors["b"])
    ]
    low, high = sum_bounds((dense, by_channel), tensors)
    np.testing.assert_array_equal(low, np.min(sums, axis=0), err_msg=f"seed {seed}")
    np.testing.assert_array_equal(high, np.max(sums, axis=0), err_msg=f"seed {seed}")


@pytest.mark.parametrize("depthwise", [False, True])
def test_bounds_of_products_of_two_tensors_are_those_of_all_their_levels(depthwise: bool) -> None:
    tensors = {"x": tensor("x", -2, 3, zero=1), "w": tensor("w", -3, 1, zero=-2)}
    blank = HeldSegment.blank((2, 1, 1), (2, 1, 1), depthwise=depthwise)
    product = HeldSegment(source="x", held="w", weights=blank, depthwise=depthwise)
    each = [
        [a * b - 1 * b - -2 * a for a, b in zip(x, w, strict=True)]
        for x in levels(tensors["x"])
        for w in levels(tensors["w"])
    ]
    sums = np.array(each) if depthwise else np.sum(each, axis=1, keepdims=True)
    low, high = sum_bounds((product,), tensors)
    assert (set(low.tolist()), set(high.tolist())) == ({sums.min()}, {sums.max()})


def test_bounds_of_a_product_add_to_those_of_what_is_summed_with_it() -> None:
    tensors = {"x": tensor("x", -2, 3, zero=1), "w": tensor("w", -3, 1, zero=-2)}
    blank = HeldSegment.blank((2, 1, 1), (2, 1, 1), depthwise=False)
    product = HeldSegment(source="x", held="w", weights=blank)
    beside = Segment(source="x", weights=np.array([[[[2]], [[-1]]]]))
    [[least], [most]] = sum_bounds((product,), tensors)
    assert [bound.tolist() for bound in sum_bounds((beside, product), tensors)] == [[least - 7], [most + 8]]


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
    found = drain_of(layer, tensors)(np.tile(sums.astype(np.float64), (3, 1)))
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
    np.testing.assert_array_equal(drain_of(layer, tensors)(sums[np.newaxis].astype(float))[0], integers // 16)


def test_sources_are_told_in_the_order_of_segments() -> None:
    tensors = {"a": tensor("a", -1, 2, zero=-3), "b": tensor("b", 0, 4, zero=2)}
    one = np.ones((2, 2, 1, 1), dtype=np.int64)
    found = exact_sources([Segment(source=name, weights=one) for name in ("b", "a", "b")], tensors)
    assert [(each.span, each.zero) for each in found] == [((0, 4), 2), ((-3, 2), -3), ((0, 4), 2)]
