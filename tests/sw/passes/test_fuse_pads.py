"""Borders that a window can have itself are no layers, and what comes out stays."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.graph import Graph
from narrows.sw.grids import Grid
from narrows.sw.layers import AveragePool, Clamp, Layer, Mac, MaxPool, Quantise, Term
from narrows.sw.outputs import Output
from narrows.sw.passes.fuse_pads import fuse_pads
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.windows import Window

SHAPE = (2, 5, 6)
TOP_LEFT = Window(kernel=(1, 1), pads=(2, 1, 0, 0))
POOL = Window(kernel=(3, 2), stride=(2, 1), pads=(0, 0, 1, 1))
FUSED = Window(kernel=(3, 2), stride=(2, 1), pads=(2, 1, 1, 1))


def chain(*layers: Layer) -> Graph:
    """Layers, the last of which gives the output."""
    tensors = {"x": SHAPE}
    for layer in layers:
        channels, height, width = tensors[layer.sources[0]]
        window = getattr(layer, "window", None) or (layer.terms[0].window if isinstance(layer, Mac) else None)
        tensors[layer.output] = (channels, *(window.output(height, width) if window else (height, width)))
    last = layers[-1].output
    spec = InputSpec(tensor="x", shape=SHAPE)
    return Graph(name="g", tensors=tensors, input=spec, layers=layers, outputs=(Output.whole(last, tensors[last]),))


def same(graph: Graph) -> tuple[Layer, ...]:
    """Layers that are left, after a look at what they compute."""
    found = fuse_pads(graph)
    x = np.random.default_rng(3).normal(size=(4, *SHAPE))
    before, after = (evaluate(each, x)[graph.outputs[0].name] for each in (graph, found))
    np.testing.assert_allclose(after, before, rtol=1e-12)
    return found.layers


def border(source: str, output: str, kind: type = AveragePool) -> Layer:
    return kind(name=output, source=source, output=output, window=TOP_LEFT)


def test_a_max_pool_takes_a_border_of_nothing() -> None:
    pool = MaxPool(name="p", source="b", output="p", window=POOL)
    [left] = same(chain(border("x", "b", MaxPool), pool))
    assert isinstance(left, MaxPool) and (left.source, left.window) == ("x", FUSED)


def test_a_max_pool_leaves_a_border_of_zeros() -> None:
    pool = MaxPool(name="p", source="b", output="p", window=POOL)
    assert [type(layer) for layer in same(chain(border("x", "b"), pool))] == [AveragePool, MaxPool]


def test_a_convolution_and_a_mean_take_a_border_of_zeros() -> None:
    weights = np.random.default_rng(1).normal(size=(2, 2, 3, 2))
    mac = Mac(name="m", terms=(Term(source="b", weights=weights, window=POOL),), bias=np.ones(2), output="m")
    [left] = same(chain(border("x", "b"), mac))
    assert isinstance(left, Mac) and (left.terms[0].source, left.terms[0].window) == ("x", FUSED)
    [left] = same(chain(border("x", "b"), AveragePool(name="p", source="b", output="p", window=POOL)))
    assert isinstance(left, AveragePool) and left.window == FUSED


@pytest.mark.parametrize("low", [-1.0, 0.5])
def test_a_border_moves_behind_what_leaves_zero_as_it_is(low: float) -> None:
    clamp = Clamp(name="c", source="b", output="c", low=low, high=2.0)
    pool = AveragePool(name="p", source="c", output="p", window=POOL)
    kinds = [type(layer) for layer in same(chain(border("x", "b"), clamp, pool))]
    assert kinds == ([Clamp, AveragePool] if low <= 0 else [AveragePool, Clamp, AveragePool])


@pytest.mark.parametrize("zero", [3, 40])
def test_a_grid_without_zero_keeps_the_border_in_front(zero: int) -> None:
    quantised = Quantise(name="q", source="b", output="q", grid=Grid(scale=0.25, zero=zero, low=0, high=15))
    pool = AveragePool(name="p", source="q", output="p", window=POOL)
    kinds = [type(layer) for layer in same(chain(border("x", "b"), quantised, pool))]
    assert kinds == ([Quantise, AveragePool] if zero < 16 else [AveragePool, Quantise, AveragePool])
