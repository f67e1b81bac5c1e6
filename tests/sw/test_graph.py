"""The float graph: an order of execution, what is read, and what a rewrite leaves behind."""

from __future__ import annotations

import dataclasses

import numpy as np
from narrows.sw.graph import Graph, rebuild
from narrows.sw.grids import Grid
from narrows.sw.layers import Add, Clamp
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec
from narrows.sw.states import State

SHAPE = (2, 3, 3)
GRID = Grid(scale=1.0, zero=0, low=0, high=7)


def clamp(source: str, output: str, *origin: str) -> Clamp:
    return Clamp(name=output, source=source, output=output, low=0, high=1, origin=origin)


def add(first: str, second: str, output: str) -> Add:
    return Add(name=output, first=first, second=second, output=output)


def graph(*layers: Clamp | Add, output: str = "y", states: tuple[State, ...] = ()) -> Graph:
    names = ["x", *(state.tensor for state in states), *(layer.output for layer in layers)]
    return Graph(
        name="g",
        tensors=dict.fromkeys(names, SHAPE),
        input=InputSpec(tensor="x", shape=SHAPE),
        layers=layers,
        outputs=(Output(name="out", tensor=output, shape=(18,)),),
        grids=dict.fromkeys(names, GRID),
        states=states,
    )


def test_layers_are_put_in_an_order_of_execution() -> None:
    whole = graph(clamp("x", "a"), clamp("a", "b"), add("b", "a", "y"))
    found = rebuild(whole, list(reversed(whole.layers)))
    assert [layer.output for layer in found.layers] == ["a", "b", "y"]


def test_what_nobody_reads_is_dropped_with_its_tensors_and_grids() -> None:
    whole = graph(clamp("x", "a"), clamp("a", "unread"), clamp("unread", "neither"), clamp("a", "y"))
    found = rebuild(whole, list(whole.layers))
    assert [layer.output for layer in found.layers] == ["a", "y"]
    assert set(found.tensors) == set(found.grids) == {"x", "a", "y"}


def test_updates_of_states_are_needed_though_no_output_shows_them() -> None:
    state = State(tensor="s", update="next", initial=np.zeros(SHAPE))
    whole = graph(add("x", "s", "a"), clamp("a", "next"), clamp("a", "y"), states=(state,))
    found = rebuild(whole, list(whole.layers))
    assert {layer.output for layer in found.layers} == {"a", "next", "y"}
    assert set(found.tensors) == {"x", "s", "a", "next", "y"}
    assert (found.starts, found.ends) == (("x", "s"), ("y", "next"))
    assert found.uses() == {"x": 1, "s": 1, "a": 2, "y": 1, "next": 1}


def test_a_rewrite_that_names_no_origin_keeps_the_one_of_the_layer_before() -> None:
    whole = graph(clamp("x", "a", "conv"), clamp("a", "y", "relu"))
    found = rebuild(whole, [dataclasses.replace(whole.layers[1], source="x", origin=())])
    assert found.layers[0].origin == ("conv", "relu")


def test_readers_and_writers() -> None:
    whole = graph(clamp("x", "a"), clamp("a", "b"), add("a", "b", "y"))
    assert {name: layer.output for name, layer in whole.last_readers().items()} == {"x": "a", "a": "y", "b": "y"}
    assert list(whole.producers()) == ["a", "b", "y"]


def test_a_deep_graph_is_ordered_without_recursion() -> None:
    layers = [clamp("x" if number == 0 else f"t{number - 1}", f"t{number}") for number in range(3000)]
    whole = graph(*layers, output="t2999")
    assert rebuild(whole, list(reversed(layers))).layers == tuple(layers)
