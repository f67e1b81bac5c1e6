"""Layers of the float graph: what they read, how sources are renamed, what is done to every element."""

import numpy as np
import pytest
from narrows.sw.curves import Function, X
from narrows.sw.grids import Grid
from narrows.sw.layers import (
    Add,
    Affine,
    Clamp,
    Concat,
    Curve,
    ElementAffine,
    Layer,
    Mac,
    MaxPool,
    Product,
    Quantise,
    Term,
    elementwise,
    renamed,
    scaled,
)
from narrows.sw.windows import Window

ONE = Window(kernel=(1, 1))
GRID = Grid(scale=0.5, zero=0, low=-4, high=3)
NAMES = {"name": "l", "output": "y"}


def mac(*sources: str) -> Mac:
    return Mac(**NAMES, terms=tuple(scaled(source, np.ones(2)) for source in sources), bias=np.zeros(2))


READING: list[tuple[Layer, tuple[str, ...]]] = [
    (mac("a", "b"), ("a", "b")),
    (MaxPool(**NAMES, source="a", window=ONE), ("a",)),
    (Clamp(**NAMES, source="a", low=0, high=1), ("a",)),
    (ElementAffine(**NAMES, source="a", scale=np.ones((1, 2, 2)), bias=np.zeros((1, 2, 2))), ("a",)),
    (Add(**NAMES, first="a", second="b", sign=-1), ("a", "b")),
    (Product(**NAMES, first="b", second="a"), ("b", "a")),
    (Product(**NAMES, first="a", second="a", matrix=True), ("a", "a")),
    (Concat(**NAMES, parts=("b", "a", "b")), ("b", "a", "b")),
]


@pytest.mark.parametrize(("layer", "sources"), READING, ids=lambda each: type(each).__name__)
def test_renaming_reaches_every_place_and_no_other(layer: Layer, sources: tuple[str, ...]) -> None:
    assert layer.sources == sources
    other = renamed(layer, {"a": "b", "b": "a", "y": "z"})  # at once, not one after the other
    assert other.sources == tuple({"a": "b", "b": "a"}[source] for source in sources)
    assert (other.name, other.output, type(other)) == (layer.name, layer.output, type(layer))
    assert renamed(layer, {"x": "z"}) is layer


def test_biases_and_weights_have_as_many_channels() -> None:
    with pytest.raises(ValueError, match=r"weights for \[2\] channels with a bias for 3"):
        Mac(**NAMES, terms=(scaled("a", np.ones(2)),), bias=np.zeros(3))


def test_activations_of_sums() -> None:
    sums = np.array([-1.3, 0.24, 0.26, 9.0], dtype=np.float32)
    clamped = Mac(**NAMES, terms=(), bias=np.zeros(1), low=0, high=6)
    np.testing.assert_array_equal(clamped.activated(sums), np.array([0, 0.24, 0.26, 6], np.float32))
    curve = Function("mul", (X, 2.0))
    rounded = Mac(**NAMES, terms=(), bias=np.zeros(1), curve=curve, grid=GRID)  # the curve reads the grid's values
    np.testing.assert_array_equal(rounded.activated(sums), [-3, 0, 1, 3])
    assert rounded.activated(sums).dtype == np.float32
    assert mac("a").is_linear and not clamped.is_linear and not rounded.is_linear


def test_large_weights_are_counted_by_sign_over_all_learned_terms() -> None:
    first = Term(source="a", weights=np.array([[8.0, -5.0, 4.0], [0, 0, 0]])[..., np.newaxis, np.newaxis], window=ONE)
    second = Term(source="b", weights=np.array([[-10.0], [1.0]])[..., np.newaxis, np.newaxis], window=ONE)
    layer = Mac(**NAMES, terms=(first, scaled("c", np.full(2, 99.0)), second), bias=np.zeros(2))
    learned, constant, other = layer.large_weights  # half of the largest: 5 and 0.5; what is just half is not beyond it
    np.testing.assert_array_equal(learned, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(other, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(constant, np.zeros((2, 2)))


@pytest.mark.parametrize(
    "layer",
    [
        Clamp(**NAMES, source="a", low=-0.5, high=1.5),
        Curve(**NAMES, source="a", function=Function("mul", (X, 3.0))),
        Affine(**NAMES, source="a", scale=np.full(2, 0.5), bias=np.full(2, 1.0)),
        Quantise(**NAMES, source="a", grid=GRID),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_is_done_to_every_element(layer: Layer) -> None:
    x = np.linspace(-4, 4, 33)
    wanted = {
        Clamp: np.clip(x, -0.5, 1.5),
        Curve: 3 * x,
        Affine: x / 2 + 1,
        Quantise: GRID.round(x),
    }[type(layer)]
    function = elementwise(layer)
    assert function is not None
    np.testing.assert_array_equal(function(x), wanted)


def test_channels_treated_differently_are_no_function_of_an_element() -> None:
    assert elementwise(Affine(**NAMES, source="a", scale=np.array([1.0, 2.0]), bias=np.zeros(2))) is None
    two = Grid(scale=1, zero=0, low=-1, high=1, bipolar=True)
    assert elementwise(Quantise(**NAMES, source="a", grid=two)) is None
    assert elementwise(mac("a")) is None
    assert elementwise(None) is None
