"""Coordinate descent on weight levels."""

import itertools

import numpy as np
import pytest
from narrows.hw.spec.certificate import final_sum_bounds
from narrows.hw.spec.formats import DyBit, Int
from narrows.sw.quantize import axe, descent
from narrows.sw.quantize.axe import round_greedily
from narrows.sw.quantize.descent import descend
from narrows.sw.quantize.rounding import Bounds


def problem(seed, rows=3, columns=6):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(40, columns)) @ rng.normal(size=(columns, columns))
    return (
        rng.normal(size=(rows, columns)) * 3,
        rng.uniform(0.2, 1.0, rows),
        inputs.T @ inputs / 40 + 0.01 * np.eye(columns),
    )


def error(levels, target, scale, metric):
    deviation = levels * scale[:, None] - target
    return np.einsum("ok,kl,ol->o", deviation, metric, deviation)


def one_group(metric, spans, rows=3):
    return {"metric": metric[np.newaxis], "spans": spans[np.newaxis], "group": np.zeros(rows, dtype=np.int64)}


WIDE = (np.array(-(10**9)), np.array(10**9))


@pytest.mark.parametrize("seed", range(20))
def test_never_worse_than_its_start_and_no_single_move_helps(seed):
    target, scale, metric = problem(seed)
    fmt, spans = DyBit(3), np.tile([-4, 16], (6, 1))
    start = fmt.quantise(target / scale[:, None])
    result = start
    for _ in range(5):  # more sweeps than one call makes
        result = descend(result, target=target, scale=scale, fmt=fmt, room=WIDE, **one_group(metric, spans))
    best = error(result, target, scale, metric)
    assert (best <= error(start, target, scale, metric) + 1e-12).all()
    for k, level in itertools.product(range(6), fmt.levels):
        moved = result.copy()
        moved[:, k] = level
        assert (error(moved, target, scale, metric) >= best - 1e-9).all(), f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_stays_inside_the_room_it_has(seed):
    target, scale, metric = problem(seed)
    fmt, spans = Int(4), np.array([[-4, 16], [0, 31], [-4, 16], [-16, 16], [0, 0], [-2, 1]])
    start = np.trunc(np.clip(target, -1, 1)).astype(np.int64)

    def bounds(levels):
        return final_sum_bounds([(levels[:, [k]], tuple(spans[k])) for k in range(6)])

    low, high = bounds(start)
    room = low - 10, high + 10
    result = bounds(descend(start, target=target, scale=scale, fmt=fmt, room=room, **one_group(metric, spans)))
    assert (result[0] >= room[0]).all() and (result[1] <= room[1]).all(), f"seed {seed}"


def rounded(target, scale, fmt, room, common):
    """What both ways of rounding give."""
    greedy = round_greedily(target, scale=scale, fmt=fmt, room=room, **common)
    start = np.zeros(target.shape, dtype=np.int64)
    return greedy, descend(start, target=target, scale=scale, fmt=fmt, room=room, **common)


@pytest.mark.parametrize("seed", range(5))
def test_groups_side_by_side_are_rounded_as_each_alone(seed):
    fmt, problems = Int(4), [problem(10 * seed + number) for number in range(4)]
    rng = np.random.default_rng(seed)
    spans = np.stack([-rng.integers(0, 5, (4, 6)), rng.integers(1, 20, (4, 6))], axis=-1)
    room = -rng.integers(40, 200, 12), rng.integers(40, 200, 12)
    order = rng.permutation(12)  # rows come in any order
    group = np.repeat(np.arange(4), 3)[order]
    target, scale = (np.concatenate([each[index] for each in problems])[order] for index in (0, 1))
    metric = np.stack([each[2] for each in problems])
    own = room[0][order], room[1][order]
    together = rounded(target, scale, fmt, own, {"metric": metric, "spans": spans, "group": group})
    for number, (target, scale, metric) in enumerate(problems):
        part = tuple(end[3 * number : 3 * number + 3] for end in room)
        alone = rounded(target, scale, fmt, part, one_group(metric, spans[number]))
        for levels, expected in zip(together, alone, strict=True):
            np.testing.assert_array_equal(levels[np.argsort(order)][3 * number : 3 * number + 3], expected)


@pytest.mark.parametrize("seed", range(5))
def test_blocks_of_weights_do_not_matter(seed, monkeypatch):
    target, scale, metric = problem(seed, columns=23)
    common = one_group(metric, np.tile([-4, 16], (23, 1)))
    room = np.full(3, -900), np.full(3, 900)
    whole = rounded(target, scale, DyBit(4), room, common)
    for module in (axe, descent):
        monkeypatch.setattr(module, "BLOCK", 5)
    monkeypatch.setattr(descent, "_NEIGHBOURS", 10)
    for levels, expected in zip(rounded(target, scale, DyBit(4), room, common), whole, strict=True):
        np.testing.assert_array_equal(levels, expected)


def test_bounds_are_those_of_twos_complement():
    assert Bounds.of(12) == Bounds(-2048, 2047)
