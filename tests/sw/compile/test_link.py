"""Linked programs: places of their own, shared contents, and one line where they do not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linked_cases import drawn_programs, drawn_turns, turn_differences
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.compile.link import link
from narrows.sw.errors import CapacityError, CertificateError, InputError, ProgramMismatch
from narrows.sw.program import Program
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.resident import run_turns
from narrows.sw.runtime.samples import run_samples
from random_graphs import CONFIGS, GraphBuilder, random_chain
from random_products import PRODUCT_CONFIGS, random_products

ROOMY = dataclasses.replace(CONFIGS["square"], instructions=128)
KINDS = [ROOMY, *(dataclasses.replace(CONFIGS[name], instructions=128) for name in ("spread, without pairs", "e2m1"))]
TABLES = ("instructions", "blocks", "taps", "params", "weights", "tables")


def words_of(program: Program, name: str) -> set[int]:
    """Words of the activation memory that a tensor takes."""
    return set((program.layouts[name].addresses() % program.config.act_words).ravel().tolist())


def test_a_program_alone_stays_as_it_is() -> None:
    program = compile_graph(random_chain(GraphBuilder(ROOMY, np.random.default_rng(0)), 3), ROOMY)
    linked = link({"one": program})["one"]
    for table in TABLES:
        np.testing.assert_array_equal(getattr(linked, table), getattr(program, table))
    assert (linked.layouts, linked.layers, linked.parts, linked.entry) == (
        *(program.layouts, program.layers, program.parts),
        0,
    )
    assert linked.config == dataclasses.replace(ROOMY, entry=1)
    assert linked.config.digest == program.config.digest


def test_contents_are_shared_and_instructions_are_not() -> None:
    program = drawn_programs(ROOMY, 1, 1)["program 0"]
    linked = link({"a": program, "b": program, "c": program})
    for table in TABLES[1:]:
        assert len(getattr(linked["c"], table)) == len(getattr(program, table))
    count = len(program.instructions)
    assert [each.entry for each in linked.values()] == [0, count, 2 * count]
    assert linked["a"].layouts == linked["b"].layouts == program.layouts  # tensors share the memory over time


def test_no_other_tensor_lies_where_a_state_does() -> None:
    programs = drawn_programs(ROOMY, 2, 2)
    streams = {"one": programs["program 1"], "plain": programs["program 0"], "two": programs["program 1"]}
    linked = link(streams)
    kept = {
        (name, state.tensor): words_of(program, state.tensor)
        for name, program in linked.items()
        for state in program.graph.states
    }
    assert len(kept) == 4
    for name, program in linked.items():
        updates = {state.update: state.tensor for state in program.graph.states}
        for tensor in program.layouts:
            for owner, words in kept.items():
                if owner != (name, updates.get(tensor, tensor)):
                    assert not words & words_of(program, tensor), (owner, name, tensor)
    most = max(max(words_of(program, tensor)) for program in linked.values() for tensor in program.layouts)
    assert most < sum(len(words) for words in kept.values()) + max(
        sum(layout.size for layout in program.layouts.values()) for program in streams.values()
    )


@settings(max_examples=12, deadline=None)
@given(
    config=st.sampled_from(KINDS),
    seed=st.integers(0, 1 << 16),
    count=st.integers(1, 4),
    data=st.data(),
)
def test_in_any_order_they_give_what_each_gives_alone(
    config: AcceleratorConfig, seed: int, count: int, data: st.DataObject
) -> None:
    try:
        programs = drawn_programs(config, seed, count)
        linked = link(programs)
    except (CapacityError, CertificateError):
        return
    order = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=6))
    turns = drawn_turns(programs, seed, order)
    results = run_sync(run_turns(IsaTransport(linked.config), linked, turns))
    assert turn_differences(linked, turns, results) == []
    for name, program in programs.items():
        levels = [turn.levels for turn in turns if turn.name == name]
        if levels:
            alone = run_sync(run_samples(IsaTransport(config), program, np.concatenate(levels)))
            mine = [one for turn, one in zip(turns, results, strict=True) if turn.name == name]
            for tensor, expected in alone.outputs.items():
                np.testing.assert_array_equal(np.concatenate([one.outputs[tensor] for one in mine]), expected)
            for counter in ("cycles", "busy", "stall_drain", "stall_walk"):
                found = np.concatenate([getattr(one, counter) for one in mine])
                np.testing.assert_array_equal(found, getattr(alone, counter))


def test_tensors_that_are_weights_move_too() -> None:
    config = dataclasses.replace(PRODUCT_CONFIGS["more columns"], instructions=128)
    moved = 0
    for seed in range(8):
        try:
            graph = random_products(GraphBuilder(config, np.random.default_rng(seed)), 2)
            programs = {**drawn_programs(config, 7, 2), "products": compile_graph(graph, config)}
        except (CapacityError, CertificateError):
            continue
        linked = link(programs)
        moved += linked["products"].layouts != programs["products"].layouts
        turns = drawn_turns(programs, seed, (2, 1, 0, 2, 1))
        results = run_sync(run_turns(IsaTransport(linked.config), linked, turns))
        assert turn_differences(linked, turns, results) == [], seed
    assert moved


def test_what_does_not_fit_is_named_with_how_much() -> None:
    config = dataclasses.replace(ROOMY, weight_words=300, instructions=9)
    programs = {}
    for seed in (0, 2):
        programs[f"p{seed}"] = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 3), config)
    weights = sum(len(program.weights) for program in programs.values())
    instructions = sum(len(program.instructions) for program in programs.values())
    with pytest.raises(CapacityError) as raised:
        link(programs)
    assert str(raised.value) == (
        f"together the programs need {instructions} instructions, the configuration has 9 "
        f"({instructions - 9} too few): raise instructions to {instructions}; "
        f"together the programs need {weights} weight words, the configuration has 300 "
        f"({weights - 300} too few): raise weight_words to {weights}"
    )
    assert [shortage.parameter for shortage in raised.value.shortages] == ["instructions", "weight_words"]


def test_states_that_do_not_fit_beside_each_other_are_named() -> None:
    programs = drawn_programs(ROOMY, 2, 2)
    stream = programs["program 1"]
    small = dataclasses.replace(ROOMY, act_words=128)
    fitting = compile_graph(stream.graph, small)
    with pytest.raises(CapacityError, match=r"^together the programs need \d+ words of activation memory, the conf"):
        link({str(number): fitting for number in range(40)})


def test_what_cannot_be_linked_is_refused() -> None:
    program = drawn_programs(ROOMY, 1, 1)["program 0"]
    with pytest.raises(InputError, match="each with a name"):
        link({})
    with pytest.raises(InputError, match="each with a name"):
        link({"": program})
    other = dataclasses.replace(ROOMY, acc_bits=30)
    fitting = compile_graph(random_chain(GraphBuilder(other, np.random.default_rng(0)), 1), other)
    with pytest.raises(ProgramMismatch, match=r"^b was compiled for another configuration than a: compile all models"):
        link({"a": program, "b": fitting})
