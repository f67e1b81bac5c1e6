"""Copies of channels: layers that compute just those give the same, and none is left where it would cost more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.curves import Function, X
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac, Term
from narrows.sw.outputs import Output
from narrows.sw.passes.take_channels import take_channels
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.windows import Window

ONE = Window(kernel=(1, 1))


def copied(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    copies: list[list[int]],
    *,
    curve: bool = False,
    gain: float = 1.0,
) -> Graph:
    """A dense layer, and copies of some of its channels."""
    term = Term(source="x", weights=rng.normal(size=(outputs, inputs, 1, 1)), window=ONE)
    function = Function("sigmoid", (X,)) if curve else None
    layers = [Mac(name="a", terms=(term,), bias=rng.normal(size=outputs), output="a", curve=function)]
    tensors = {"x": (inputs, 2, 3), "a": (outputs, 2, 3)}
    for number, channels in enumerate(copies):
        weights = gain * np.eye(outputs)[channels, :, np.newaxis, np.newaxis]
        name = f"c{number}"
        own = Term(source="a", weights=weights, window=ONE, step=np.full(len(channels), gain))
        layers.append(Mac(name=name, terms=(own,), bias=np.zeros(len(channels)), output=name, copies=gain == 1))
        tensors[name] = (len(channels), 2, 3)
    return Graph(
        name="g",
        tensors=tensors,
        input=InputSpec(tensor="x", shape=(inputs, 2, 3)),
        layers=tuple(layers),
        outputs=tuple(Output.whole(f"c{number}", tensors[f"c{number}"]) for number in range(len(copies))),
    )


@given(st.data())
def test_what_copies_give_stays(data) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 16)))
    outputs = data.draw(st.integers(1, 9))
    channels = st.lists(st.integers(0, outputs - 1), min_size=1, max_size=12)
    copies = data.draw(st.lists(channels, min_size=1, max_size=3))
    curve = data.draw(st.booleans())
    gain = 1.0 if curve else data.draw(st.sampled_from([1.0, -0.5]))
    graph = copied(rng, data.draw(st.integers(1, 40)), outputs, copies, curve=curve, gain=gain)
    taken = take_channels(graph)
    x = rng.normal(size=(2, *graph.input.shape))
    before, after = evaluate(graph, x), evaluate(taken, x)
    for output in graph.outputs:
        np.testing.assert_allclose(after[output.name], before[output.name], rtol=1e-5, atol=1e-6)


def test_heads_are_layers_of_their_own() -> None:
    graph = copied(np.random.default_rng(0), 16, 8, [[0, 1, 2, 3], [4, 5, 6, 7]])
    assert [layer.sources for layer in take_channels(graph).layers] == [("x",), ("x",)]


def test_a_clamp_or_curve_keeps_copies_with_gains() -> None:
    graph = copied(np.random.default_rng(0), 16, 8, [[0, 1], [2, 3]], curve=True, gain=2.0)
    assert take_channels(graph) is graph


def test_a_copy_of_a_copy_is_one_and_a_multiple_is_none() -> None:
    rng = np.random.default_rng(0)
    for gain in (1.0, 2.0):
        graph = copied(rng, 16, 16, [[0, 1, 2, 3]], gain=gain)
        picked = np.eye(16)[:, :, np.newaxis, np.newaxis]
        term = Term(source="x", weights=picked, window=ONE, step=np.ones(16))
        first = Mac(name="a", terms=(term,), bias=np.zeros(16), output="a", copies=True)
        [layer] = take_channels(replace(graph, layers=(first, *graph.layers[1:]))).layers
        assert isinstance(layer, Mac)
        assert (layer.sources, layer.copies) == (("x",), gain == 1)


def test_a_mean_of_many_channels_is_copied_instead_of_computed_for_all() -> None:
    graph = copied(np.random.default_rng(0), 256, 1, [[0] * 256])
    assert take_channels(graph) is graph


def test_depthwise_layers_with_large_windows_stay() -> None:
    """Dense, they would be as many times more work as they have channels."""
    rng = np.random.default_rng(0)
    graph = copied(rng, 64, 64, [[*range(32, 64), *range(32)]])
    window = Window(kernel=(3, 3), pads=(1, 1, 1, 1))
    term = Term(source="x", weights=rng.normal(size=(64, 1, 3, 3)), window=window, depthwise=True)
    layer = Mac(name="a", terms=(term,), bias=np.zeros(64), output="a")
    graph = replace(graph, layers=(layer, *graph.layers[1:]))
    assert take_channels(graph) is graph
