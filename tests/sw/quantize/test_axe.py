"""Greedy rounding within a budget of sums."""

import numpy as np
import pytest
from narrows.hw.spec.certificate import final_sum_bounds
from narrows.hw.spec.formats import DyBit, Int
from narrows.sw.quantize.axe import round_greedily, shrink
from narrows.sw.quantize.rounding import BLOCK


def one_group(metric, spans, rows=3):
    return {"metric": metric[np.newaxis], "spans": spans[np.newaxis], "group": np.zeros(rows, dtype=np.int64)}


WIDE = (np.full(3, -(10**9)), np.full(3, 10**9))


def problem(seed, rows=3, columns=6):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(40, columns)) @ rng.normal(size=(columns, columns))
    metric = inputs.T @ inputs / 40 + 0.01 * np.eye(columns)
    return rng.normal(size=(rows, columns)) * 3, rng.uniform(0.2, 1.0, rows), metric


def bounds(levels, spans):
    return final_sum_bounds([(levels[:, [k]], tuple(spans[k])) for k in range(levels.shape[1])])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fmt", [Int(4), DyBit(4)], ids=str)
def test_sums_keep_to_the_room(seed, fmt):
    target, scale, metric = problem(seed)
    spans = np.array([[-4, 16], [0, 31], [-4, 16], [-16, 16], [0, 0], [-2, 1]])
    room = -np.array([0, 20, 60]), np.array([30, 0, 60])
    levels = round_greedily(target, scale=scale, fmt=fmt, room=room, **one_group(metric, spans))
    low, high = bounds(levels, spans)
    assert (low >= room[0]).all() and (high <= room[1]).all(), f"seed {seed}"
    assert np.isin(levels, fmt.levels).all()


def test_independent_inputs_with_room_are_rounded_to_nearest():
    target, scale, _ = problem(5)
    spans = np.tile([-4, 16], (6, 1))
    levels = round_greedily(
        target, scale=scale, fmt=DyBit(4), room=WIDE, **one_group(np.diag(np.arange(1.0, 7.0)), spans)
    )
    np.testing.assert_array_equal(levels, DyBit(4).quantise(target / scale[:, None]))


def test_later_weights_make_up_for_earlier_ones():
    def lost(levels, metric):
        deviation = levels * scale[:, None] - target
        return np.einsum("ok,kl,ol->", deviation, metric, deviation)

    better = 0
    for seed in range(20):
        target, scale, metric = problem(seed)
        levels = round_greedily(
            target, scale=scale, fmt=Int(6), room=WIDE, **one_group(metric, np.tile([0, 15], (6, 1)))
        )
        better += lost(levels, metric) < lost(Int(6).quantise(target / scale[:, None]), metric)
    assert better >= 16


def test_shrinking_is_the_projection_onto_the_l1_ball():
    rng = np.random.default_rng(2)
    weights, budget = rng.normal(size=(4, 9)) * 5, np.array([1.0, 7.0, 20.0, 1e6])
    found = shrink(weights, np.tile([-1, 1], (1, 9, 1)), np.zeros(4, dtype=np.int64), (-budget, budget))
    for row, limit, result in zip(weights, budget, found, strict=True):
        ordered = np.sort(np.abs(row))[::-1]
        sums = np.cumsum(ordered) - limit
        last = np.flatnonzero(ordered * np.arange(1, 10) > sums)[-1]
        amount = max(0.0, sums[last] / (last + 1))
        np.testing.assert_allclose(result, np.sign(row) * np.maximum(np.abs(row) - amount, 0), atol=1e-9)


@pytest.mark.parametrize(("powers", "levels"), [((1.0, 9.0), (3, 4)), ((9.0, 1.0), (4, 3))])
def test_the_most_powerful_input_is_rounded_first(powers, levels):
    # Both are nearer to 4, but 4 + 4 times 2 exceeds 15: the second one has to be content with 3.
    spans, room = np.array([[0, 2], [0, 2]]), (np.array([0]), np.array([15]))
    given = one_group(np.diag(powers), spans, rows=1)
    found = round_greedily(np.array([[3.75, 3.75]]), scale=np.ones(1), fmt=Int(4), room=room, **given)
    assert found.tolist() == [list(levels)]


def test_each_group_has_its_own_order_and_spans():
    spans, room = np.array([[[0, 2], [0, 2]], [[0, 1], [0, 2]]]), (np.zeros(2, dtype=int), np.array([15, 11]))
    metric = np.array([np.diag([1.0, 9.0]), np.diag([9.0, 1.0])])
    found = round_greedily(
        np.full((2, 2), 3.65),
        scale=np.ones(2),
        fmt=Int(4),
        room=room,
        metric=metric,
        spans=spans,
        group=np.array([0, 1]),
    )
    assert found.tolist() == [[3, 4], [4, 3]]


def test_what_a_block_misses_the_next_one_makes_up_for():
    """OPTQ word by word, without blocks: the same levels where a channel has more weights than a block."""
    rng = np.random.default_rng(11)
    count = BLOCK + 9
    inputs = rng.normal(size=(200, count)) @ rng.normal(size=(count, count))
    metric = inputs.T @ inputs / 200 + 0.05 * np.eye(count)
    target, fmt = rng.normal(size=(3, count)) * 4, Int(4)
    order = np.argsort(-np.diag(metric), kind="stable")
    factor = np.linalg.cholesky(np.linalg.inv(metric[np.ix_(order, order)])).T
    wanted, expected = target[:, order].copy(), np.zeros((3, count), dtype=np.int64)
    for k in range(count):
        expected[:, k] = fmt.levels[np.abs(fmt.levels - wanted[:, [k]]).argmin(axis=1)]
        missed = (wanted[:, k] - expected[:, k]) / factor[k, k]
        wanted[:, k + 1 :] -= np.outer(missed, factor[k, k + 1 :])
    found = round_greedily(
        target, scale=np.ones(3), fmt=fmt, room=WIDE, **one_group(metric, np.tile([0, 15], (count, 1)))
    )
    np.testing.assert_array_equal(found[:, order], expected)
