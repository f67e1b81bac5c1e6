"""States keep their places: every frame of a stream is what the graph says, on every shape of core."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.formats import Int
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName
from narrows.sw.listener import Quiet
from narrows.sw.program import Program
from narrows.sw.verify import compare_engines
from random_graphs import CONFIGS, random_levels, random_stream

FRAMES = 4
BACKED = {
    name: dataclasses.replace(CONFIGS[name], backing="axi4", act_words=words)
    for name, words in (("square", 8192), ("more lanes", 128), ("two rows drained", 256))
}


def check_stream(graph, config, seed, expected):
    program = Program.from_bytes(compile_graph(graph, config).to_bytes())
    rng = np.random.default_rng(seed)
    frames = np.stack([random_levels(graph, rng) for _ in range(FRAMES)])
    found = compare_engines(program, frames, [EngineName.ISA], bar=Quiet().progress)
    assert found.mismatches == [], seed
    golden = found.runs[EngineName.GOLDEN]
    held = {state.tensor: state.initial for state in program.graph.states}
    for number, frame in enumerate(frames):
        values = expected(program.graph, frame, held)
        for name, levels in golden.tensors.items():
            np.testing.assert_array_equal(levels[number], values[name], err_msg=f"{name}, frame {number}, seed {seed}")
        held = {state.tensor: values[state.update] for state in program.graph.states}
    return program


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(3))
def test_streams_are_what_their_graphs_say(name, seed, builder, expected):
    config = CONFIGS[name]
    check_stream(random_stream(builder(config, seed)), config, seed, expected)


@pytest.mark.parametrize("name", BACKED)
@pytest.mark.parametrize("seed", range(3))
def test_states_stay_on_the_chip_beside_a_backing_store(name, seed, builder, expected):
    config = BACKED[name]
    program = check_stream(random_stream(builder(config, seed)), config, seed, expected)
    assert not any(state.tensor in program.external for state in program.graph.states)


def copies(build, names):
    """An input, and tensors of its kind for states, by name."""
    x = build.tensor((2, 1, 1), Int(4))
    build.tensors[x] = dataclasses.replace(build.tensors[x], zero=0, low=-7, high=7)
    return x, {name: build.like(x) for name in names}


def passed_on(build, source, state):
    update = build.update(state, [build.segment(source, None, levels=[1])])
    half = 1 << build.config.rescale_bits - 1
    shift = build.config.rescale_bits - 1
    build.layers[-1] = dataclasses.replace(
        build.layers[-1],
        bias=np.zeros(2, dtype=np.int64),
        multiplicand=np.full(2, half),
        shift=np.full(2, shift),
        table=None,
    )
    return update


def test_states_that_take_over_each_other_change_places(builder, expected):
    config = CONFIGS["square"]
    build = builder(config, 5)
    x, states = copies(build, "ab")
    passed_on(build, states["b"], states["a"])
    passed_on(build, states["a"], states["b"])
    output = build.mac([build.segment(name, 3, levels=[1, 2]) for name in (x, *states.values())], (1, 1), Int(8))
    graph = build.graph([output])
    program = check_stream(graph, config, 5, expected)
    beside = [layer.output for layer in program.graph.layers if "beside" in layer.output]
    assert len(beside) == 1, "one copy is enough to break the circle"


def test_a_line_of_delays_takes_no_copies(builder, expected):
    config = CONFIGS["square"]
    build = builder(config, 6)
    x, states = copies(build, "abc")
    passed_on(build, x, states["a"])
    passed_on(build, states["a"], states["b"])
    passed_on(build, states["b"], states["c"])
    output = build.mac([build.segment(states["c"], 3, levels=[1, 2])], (1, 1), Int(8))
    program = check_stream(build.graph([output]), config, 6, expected)
    assert len(program.graph.layers) == 4
    places = {program.layouts[name].base for name in states.values()}
    assert len(places) == 3, "no two states have one place"
    for state in program.graph.states:
        assert program.layouts[state.update] == program.layouts[state.tensor]
