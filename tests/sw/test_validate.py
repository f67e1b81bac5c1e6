"""What is checked of programs that are read from files: crafted ones, with a right checksum, end in one line."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from damage import with_right_checksum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.errors import NarrowsError, ProgramError
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.runtime import prepare_input, run_sync
from narrows.sw.runtime.samples import run_samples
from narrows.sw.states import State
from narrows.sw.validate import validate_graph


def with_tensor(name: str, **changes: Any) -> Callable[[QuantisedGraph], QuantisedGraph]:
    def change(graph: QuantisedGraph) -> QuantisedGraph:
        tensors = graph.tensors | {name: dataclasses.replace(graph.tensors[name], **changes)}
        return dataclasses.replace(graph, tensors=tensors)

    return change


def with_layer(index: int, **changes: Any) -> Callable[[QuantisedGraph], QuantisedGraph]:
    def change(graph: QuantisedGraph) -> QuantisedGraph:
        layers = list(graph.layers)
        layers[index] = dataclasses.replace(layers[index], **changes)
        return dataclasses.replace(graph, layers=tuple(layers))

    return change


def with_segment(**changes: Any) -> Callable[[QuantisedGraph], QuantisedGraph]:
    def change(graph: QuantisedGraph) -> QuantisedGraph:
        (segment,) = graph.layers[0].segments  # type: ignore[union-attr]
        return with_layer(0, segments=(dataclasses.replace(segment, **changes),))(graph)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_tensor("image", shape=(3, 0, 6)), r"tensor 'image' has the shape \(3, 0, 6\)"),
        (with_tensor("image", shape=(3, 1 << 20, 1 << 20)), "tensor 'image' has the shape"),
        (with_tensor("image", scale=-1.0), "tensor 'image' has the scale -1.0"),
        (with_tensor("image", zero=5), "tensor 'image' has bounds that are no levels of its format"),
        (with_tensor("features", low=16, high=-4), "tensor 'features' has the range 16 to -4"),
        (with_tensor("image", shape=(3, 6, 5)), "does not give the shape"),
        (with_tensor("pooled", shape=(5, 2, 3)), "has other channels than its source"),
        (with_layer(0, output="image"), "writes no tensor"),
        (with_layer(0, segments=()), "reads nothing"),
        (with_layer(0, bias=np.zeros(5, dtype=np.int64)), r"has bias of shape \(5,\)"),
        (with_layer(0, shift=np.full(6, 64)), "has a shift out of range"),
        (with_layer(0, multiplicand=np.full(6, -1)), "has a negative multiplicand"),
        (with_layer(0, enlarge=(0, 1)), r"enlarges by \(0, 1\)"),
        (with_layer(0, enlarge=(7, 1)), r"enlarges by \(7, 1\) to"),
        (with_layer(0, enlarge=(1, 2)), "has weights of shape"),
        (with_layer(1, source="nothing"), "reads 'nothing', which nothing has written"),
        (with_layer(1, source="pooled"), "reads 'pooled', which nothing has written"),
        (with_layer(1, stride=(0, 1)), "has a window of kernel"),
        (with_layer(1, pads=(2, 0, 0, 0)), "has windows of padding alone"),
        (with_layer(1, pads=(-1, 0, 0, 0)), "has the pads"),
        (with_segment(weights=np.full((6, 3, 3, 3), 1 << 20)), "has weights beyond 15 bits"),
        (with_segment(weights=np.zeros((6, 2, 3, 3), dtype=np.int64)), "has weights of shape"),
        (with_segment(depthwise=True), "has weights of shape"),
        (with_segment(dilation=(1, 0)), "has a window of kernel"),
        (with_segment(inset=(-1, 0, 0, 0)), "has the inset"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_named(
    tiny_program: Program, change: Callable[[QuantisedGraph], QuantisedGraph], message: str
) -> None:
    validate_graph(tiny_program.graph)
    with pytest.raises(ValueError, match=message):
        validate_graph(change(tiny_program.graph))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 32))
def test_a_crafted_program_is_refused_or_runs(tiny_program: Program, seed: int) -> None:
    crafted = with_right_checksum(tiny_program.to_bytes(), np.random.default_rng(seed))
    try:
        program = Program.from_bytes(crafted)
        levels = prepare_input(program.graph, np.zeros((1, *program.graph.input.shape)))
    except ProgramError:
        return
    with contextlib.suppress(NarrowsError):
        GoldenModel(program.graph, program.config).run(levels)
    with contextlib.suppress(NarrowsError):
        run_sync(run_samples(IsaTransport(program.config), program, levels))


def with_state(graph: QuantisedGraph, **changed: Any) -> QuantisedGraph:
    """The graph with a state of the kind of its pooled tensor, which takes that over; nothing reads it."""
    kept = dataclasses.replace(graph.tensors["pooled"], name="kept")
    state = State(tensor="kept", update="pooled", initial=np.full(kept.shape, kept.zero))
    return dataclasses.replace(
        graph, tensors=graph.tensors | {"kept": kept}, states=(dataclasses.replace(state, **changed),)
    )


def test_states_that_do_not_fit_are_named(tiny_program: Program) -> None:
    graph = tiny_program.graph
    validate_graph(with_state(graph))
    shape = graph.tensors["pooled"].shape
    for changed, message in (
        ({"tensor": "nothing"}, "the state 'nothing' is no tensor"),
        ({"tensor": "image"}, "the state 'image' is no tensor"),
        ({"update": "kept"}, "takes over what no layer writes"),
        ({"update": "features"}, "takes over a tensor of another kind"),
        ({"initial": np.zeros((1, 1, 1))}, r"begins with the shape \(1, 1, 1\)"),
        ({"initial": np.full(shape, 999)}, "begins with levels that it cannot hold"),
    ):
        with pytest.raises(ValueError, match=message):
            validate_graph(with_state(graph, **changed))
