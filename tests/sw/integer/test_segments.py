"""Segments: bounds of their sums are reached and never passed, and what is told of them is what they hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from narrows.hw.spec.formats import Format, Int
from narrows.sw.integer.segments import divided, exact_sources, sum_bounds
from narrows.sw.quantised import HeldSegment, QuantisedTensor, Segment


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


def test_sources_are_told_in_the_order_of_segments() -> None:
    tensors = {"a": tensor("a", -1, 2, zero=-3), "b": tensor("b", 0, 4, zero=2)}
    one = np.ones((2, 2, 1, 1), dtype=np.int64)
    found = exact_sources([Segment(source=name, weights=one) for name in ("b", "a", "b")], tensors)
    assert [(each.span, each.zero) for each in found] == [((0, 4), 2), ((-3, 2), -3), ((0, 4), 2)]


def test_segments_with_weights_are_told_from_products() -> None:
    blank = HeldSegment.blank((2, 1, 1), (2, 1, 1), depthwise=True)
    product = HeldSegment(source="x", held="w", weights=blank, depthwise=True)
    own = [Segment(source=name, weights=np.ones((2, 2, 1, 1), dtype=np.int64)) for name in "ab"]
    assert divided((own[0], product, own[1])) == (own, [product])


def test_a_segment_is_depthwise_where_each_channel_weighs_its_own_alone() -> None:
    weights = np.zeros((2, 2, 1, 3), dtype=np.int64)
    weights[0, 0], weights[1, 1] = [1, 0, 2], [0, 0, 3]
    found = Segment(source="a", weights=weights).by_channel()
    assert found.depthwise
    np.testing.assert_array_equal(found.weights[:, 0, 0], [[1, 0, 2], [0, 0, 3]])
    weights[1, 0, 0, 1] = 1
    assert not Segment(source="a", weights=weights).by_channel().depthwise


def test_identities_averages_and_scalings_are_not_trained() -> None:
    def segment(weights: list[list[int]], depthwise: bool = True) -> Segment:
        return Segment(source="a", weights=np.array(weights)[:, np.newaxis, np.newaxis], depthwise=depthwise)

    assert not segment([[1, 1], [3, 3]]).trained
    assert segment([[1, 1], [3, 2]]).trained
    assert segment([[1, 1], [3, 3]], depthwise=False).trained
