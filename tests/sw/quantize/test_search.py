"""The search over accumulator scales."""

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit
from narrows.sw.quantize import search
from narrows.sw.quantize.grid import ScaleGrid
from narrows.sw.quantize.problem import Problem
from narrows.sw.quantize.search import solve

CONFIG = AcceleratorConfig(rows=2, columns=2, lanes=4, rescalers=1, acc_bits=14, rescale_bits=4)


def problem(seed, groups=1, size=4, inputs=9):
    """Channels on correlated inputs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups, 60, inputs)) @ (np.eye(inputs) + 0.2 * rng.normal(size=(groups, inputs, inputs)))
    channels = groups * size
    return Problem(
        channels=np.arange(channels),
        group=np.repeat(np.arange(groups), size),
        places=tuple(((0, np.arange(inputs)),) for _ in range(groups)),
        target=rng.normal(size=(channels, inputs)) * 0.2,
        metric=x.transpose(0, 2, 1) @ x / 60 + 0.1 * np.eye(inputs),
        gains=np.zeros((0, channels)),
        response=np.zeros((0, channels, inputs)),
        gain_cost=np.zeros((0, channels)),
        mean_inputs=rng.normal(size=(groups, inputs)),
        mean_constants=np.zeros((0, channels)),
        mean_sums=rng.normal(size=channels),
        spans=np.broadcast_to(np.array([-4, 16]), (groups, inputs, 2)),
        constant_spans=np.zeros((0, 2), dtype=np.int64),
    )


def solved(each, *, axe=True):
    grid = ScaleGrid.of(0.3, CONFIG)
    return grid, solve(each, grid, DyBit(4), CONFIG, output_scale=0.3, output_error=0.01, layer="conv", axe=axe)


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_solved_as_each_alone(seed):
    together = problem(seed, groups=3)
    _, found = solved(together)
    for group in range(3):
        own = slice(4 * group, 4 * group + 4)
        alone = dataclasses.replace(
            together,
            channels=np.arange(4),
            group=np.zeros(4, dtype=np.int64),
            places=together.places[:1],
            target=together.target[own],
            metric=together.metric[[group]],
            gains=np.zeros((0, 4)),
            response=np.zeros((0, 4, 9)),
            gain_cost=np.zeros((0, 4)),
            mean_inputs=together.mean_inputs[[group]],
            mean_constants=np.zeros((0, 4)),
            mean_sums=together.mean_sums[own],
            spans=together.spans[[group]],
        )
        _, expected = solved(alone)
        np.testing.assert_array_equal(found.weights[own], expected.weights)
        np.testing.assert_array_equal(found.choice[own], expected.choice)


def error(each, grid, found):
    deviation = found.weights * grid.scales[found.choice][:, None] - each.target
    return np.einsum("ok,kl,ol->o", deviation, each.metric[0], deviation)


@pytest.mark.parametrize("axe", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_likely_scales_are_nearly_as_good_as_all(seed, axe, monkeypatch):
    """Where errors are computed of few scales only, what is lost is little."""
    each = problem(seed, size=12, inputs=40)
    grid, thorough = solved(each, axe=axe)
    monkeypatch.setattr(search, "_MANY", 0)
    _, quick = solved(each, axe=axe)
    assert error(each, grid, quick).sum() <= 1.05 * error(each, grid, thorough).sum()
