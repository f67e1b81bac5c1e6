"""Coordinate descent on weight levels."""

import itertools

import numpy as np
import pytest
from narrows.hw.spec.certificate import final_sum_bounds
from narrows.hw.spec.formats import DyBit, Int
from narrows.sw.quantize.rounding import Bounds, descend


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


WIDE = (np.array(-(10**9)), np.array(10**9))


@pytest.mark.parametrize("seed", range(20))
def test_never_worse_than_its_start_and_no_single_move_helps(seed):
    target, scale, metric = problem(seed)
    fmt, spans = DyBit(3), np.tile([-4, 16], (6, 1))
    start = fmt.quantise(target / scale[:, None])
    result = start
    for _ in range(5):  # more sweeps than one call makes
        result = descend(result, target=target, scale=scale, metric=metric, fmt=fmt, spans=spans, room=WIDE)
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
    result = bounds(descend(start, target=target, scale=scale, metric=metric, fmt=fmt, spans=spans, room=room))
    assert (result[0] >= room[0]).all() and (result[1] <= room[1]).all(), f"seed {seed}"


def test_bounds_are_those_of_twos_complement():
    assert Bounds.of(12) == Bounds(-2048, 2047)
