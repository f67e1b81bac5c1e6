"""Copies of tensors on grids are on grids, exactly; what only looks like a copy is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from narrows.sw.graph import Graph
from narrows.sw.grids import Grid
from narrows.sw.layers import Mac, MaxPool, Term
from narrows.sw.outputs import Output
from narrows.sw.passes.keep_grids import keep_grids
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.windows import Window

SHAPE = (3, 2, 2)
GRID = Grid(scale=0.25, zero=4, low=0, high=15)


def graph(weights: np.ndarray, bias: np.ndarray, *, pads: tuple[int, int, int, int] = (0, 0, 0, 0), **of_mac) -> Graph:
    """A layer of 1 x 1 pixels over an input on `GRID`, and a max-pool behind it."""
    window = Window(kernel=(1, 1), pads=pads)
    terms = (Term(source="x", weights=weights[:, :, None, None], window=window),)
    shape = (len(weights), *window.output(*SHAPE[1:]))
    pool = Window(kernel=(2, 2))
    last = (len(weights), *pool.output(*shape[1:]))
    return Graph(
        name="g",
        tensors={"x": SHAPE, "y": shape, "z": last},
        input=InputSpec(tensor="x", shape=SHAPE),
        layers=(
            Mac(name="m", terms=terms, bias=bias, output="y", **of_mac),
            MaxPool(name="p", source="y", output="z", window=pool),
        ),
        outputs=(Output.whole("z", last),),
        grids={"x": GRID},
    )


PICKED = np.eye(3)[[2, 0, 2, 1]]


@pytest.mark.parametrize("gain", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("steps", [-2, 0, 5])
def test_picks_with_one_gain_and_whole_steps_are_on_the_grid_moved(gain: float, steps: int) -> None:
    found = keep_grids(graph(gain * PICKED, np.full(4, steps * gain * GRID.scale)))
    moved = replace(GRID, scale=GRID.scale * gain, zero=GRID.zero - steps)
    assert found.grids == {"x": GRID, "y": moved, "z": moved}
    integers = np.random.default_rng(5).integers(GRID.low, GRID.high + 1, (8, *SHAPE))
    values = evaluate(found, (integers - GRID.zero) * GRID.scale)["y"]
    assert (moved.round(values) == values).all()


@pytest.mark.parametrize(
    ("weights", "bias"),
    [
        (PICKED * np.array([[1.0], [1.0], [2.0], [1.0]]), np.zeros(4)),
        (-PICKED, np.zeros(4)),
        (PICKED + np.eye(3)[[0, 1, 1, 2]], np.zeros(4)),
        (PICKED, np.array([0.25, 0.25, 0.5, 0.25])),
        (PICKED, np.full(4, 0.1)),
        (0 * PICKED, np.zeros(4)),
    ],
    ids=["two gains", "negative", "sums", "two shifts", "part of a step", "nothing"],
)
def test_anything_else_is_on_none(weights: np.ndarray, bias: np.ndarray) -> None:
    assert keep_grids(graph(weights, bias)).grids == {"x": GRID}


def test_padding_is_on_the_grid_where_zero_is() -> None:
    padded = graph(PICKED, np.zeros(4), pads=(1, 0, 0, 0))
    assert keep_grids(padded).grids["y"] == GRID
    without = replace(GRID, zero=20)
    assert keep_grids(replace(padded, grids={"x": without})).grids == {"x": without}


def test_a_clamp_on_the_grid_clips_it_and_one_between_its_values_ends_it() -> None:
    copied = graph(PICKED, np.zeros(4), copies=True, low=0.0, high=1.0)
    assert keep_grids(copied).grids["y"] == replace(GRID, low=4, high=8)
    between = graph(PICKED, np.zeros(4), copies=True, low=0.0, high=1.1)
    assert keep_grids(between).grids == {"x": GRID}
