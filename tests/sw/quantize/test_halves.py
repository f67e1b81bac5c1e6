"""Layers in halves compute what they did before, and only those are split that gain from it."""

import numpy as np
from narrows.sw.graph import Graph
from narrows.sw.grids import Grid, Rounding
from narrows.sw.layers import Mac, Term, scaled
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.halves import in_halves
from narrows.sw.windows import Window

RNG = np.random.default_rng(17)
TWICE = Rounding.TWICE


def conv(name, source, outputs, inputs, kernel=1):
    weights = RNG.integers(-9, 10, (outputs, inputs, kernel, kernel)).astype(float)
    window, step = Window(kernel=(kernel, kernel)), np.full(outputs, 0.01)
    term = Term(source=source, weights=0.01 * weights, window=window, step=step)
    return Mac(name=name, terms=(term,), bias=np.zeros(outputs), output=name)


def residual(**grids):
    """A convolution of both signs added to the input; behind it a large convolution."""
    add = Mac(name="add", terms=(scaled("x", np.ones(3)), scaled("a", np.ones(3))), bias=np.zeros(3), output="add")
    byte = {"low": -128, "high": 127}
    return Graph(
        name="residual",
        tensors={"x": (3, 4, 4), "a": (3, 4, 4), "add": (3, 4, 4), "y": (9, 2, 2)},
        input=InputSpec(tensor="x", shape=(3, 4, 4)),
        layers=(conv("a", "x", 3, 3), add, conv("y", "add", 9, 3, kernel=3)),
        outputs=(Output.whole("y", (9, 2, 2)),),
        grids={
            "x": Grid(scale=0.1, zero=3, **byte),
            "a": Grid(scale=0.013, zero=-5, rounding=TWICE, **byte),
            "add": Grid(scale=0.11, zero=1, **byte),
            "y": Grid(scale=0.05, zero=0, rounding=TWICE, **byte),
        }
        | grids,
    )


def test_halves_add_up_to_the_layer():
    graph = residual()
    split = in_halves(graph)
    assert [layer.name for layer in split.layers] == ["a", "a/below", "add", "y"]
    assert (split.grids["a"].low, split.grids["a/below"].high) == (-5, -5)
    x = RNG.uniform(-12, 12, (20, 3, 4, 4))
    before, after = evaluate(graph, x), evaluate(split, x)
    np.testing.assert_allclose(after["a"] + after["a/below"], before["a"], atol=1e-6)
    np.testing.assert_array_equal(after["y"], before["y"])
    assert (after["a"] >= 0).all() and (after["a/below"] <= 0).all()


def test_layers_of_one_sign_stay_whole():
    byte = {"low": -128, "high": 127}
    for grid in (
        Grid(scale=0.013, zero=-128, rounding=TWICE, **byte),
        Grid(scale=0.013, zero=-5, rounding=Rounding.EVEN, **byte),
    ):
        graph = residual(a=grid)
        assert in_halves(graph) is graph


def test_outputs_and_costly_layers_stay_whole():
    graph = residual()
    layers = (conv("a", "x", 3, 3), graph.layers[1], conv("y", "add", 1, 3))
    small = Graph(**{**graph.__dict__, "layers": layers, "tensors": graph.tensors | {"y": (1, 4, 4)}})
    assert in_halves(small) is small


def test_exact_halves_are_added_up_by_a_layer_where_an_output_is_read():
    graph = residual()
    split = in_halves(graph, exact=True)
    assert [layer.name for layer in split.layers] == ["a", "a/below", "add", "y", "y/below", "y/sum"]
    assert in_halves(split, exact=True) is split
    x = RNG.uniform(-12, 12, (20, 3, 4, 4))
    np.testing.assert_allclose(evaluate(split, x)["y"], evaluate(graph, x)["y"], atol=1e-6)
