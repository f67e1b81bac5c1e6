"""Linked programs of a core with a backing store: windows of their own, and results as each has them alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from linked_cases import drawn_programs, drawn_turns, turn_differences
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.transfer import PAGE
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.compile.link import link
from narrows.sw.errors import CapacityError, CertificateError, InputError
from narrows.sw.linked import Linked
from narrows.sw.program import Program
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.resident import run_turns
from narrows.sw.runtime.samples import run_samples
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_stream

ROOMY = dataclasses.replace(CONFIGS["square"], backing="axi4", instructions=512, tables=15, planes=5)
SMALL = dataclasses.replace(ROOMY, act_words=256, weight_words=64, param_words=64)


def streamed(config: AcceleratorConfig, seed: int, count: int) -> dict[str, Program]:
    """So many programs by name that fit, those of the first seeds."""
    programs: dict[str, Program] = {}
    while len(programs) < count:
        seed += 1
        try:
            graph = random_chain(GraphBuilder(config, np.random.default_rng(seed)), 3)
            programs[f"program {len(programs)}"] = compile_graph(graph, config)
        except (CapacityError, CertificateError):
            continue
    return programs


@pytest.mark.parametrize("config", [ROOMY, SMALL], ids=["roomy", "small"])
@pytest.mark.parametrize("seed", [0, 100, 200])
def test_by_turns_they_give_what_each_gives_alone(config: AcceleratorConfig, seed: int) -> None:
    programs = streamed(config, seed, 3)
    linked = Linked.from_bytes(link(programs).to_bytes())
    turns = drawn_turns(programs, seed, (0, 1, 2, 1, 0, 2))
    results = run_sync(run_turns(IsaTransport(linked.config), linked, turns))
    assert turn_differences(linked, turns, results) == []
    for name, program in programs.items():
        levels = np.concatenate([turn.levels for turn in turns if turn.name == name])
        alone = run_sync(run_samples(IsaTransport(config), program, levels))
        mine = [one for turn, one in zip(turns, results, strict=True) if turn.name == name]
        for counter in ("cycles", "busy", "stall_load", "stall_store", "stall_token", "checksums"):
            np.testing.assert_array_equal(
                np.concatenate([getattr(one, counter) for one in mine]), getattr(alone, counter)
            )


def test_windows_lie_one_behind_the_other_and_a_program_alone_stays_as_it_is() -> None:
    programs = streamed(SMALL, 300, 2)
    first, second = programs.values()
    linked = link(programs)
    assert linked.window_bytes == first.window_bytes + second.window_bytes
    assert linked.window_bytes % PAGE == 0
    moved = linked["program 1"]
    assert moved.external == {name: place + first.window_bytes for name, place in second.external.items()}
    start = first.window_bytes // 4
    np.testing.assert_array_equal(moved.backing[: len(first.backing)], first.backing)
    np.testing.assert_array_equal(moved.backing[start : start + len(second.backing)], second.backing)
    assert moved.layouts == second.layouts
    alone = link({"one": first})["one"]
    for table in ("instructions", "blocks", "taps", "tables"):
        np.testing.assert_array_equal(getattr(alone, table), getattr(first, table))


def test_states_and_what_does_not_fit_are_refused() -> None:
    stream = compile_graph(random_stream(GraphBuilder(ROOMY, np.random.default_rng(1))), ROOMY)
    with pytest.raises(InputError, match=r"^b keeps states on the chip, where the other programs of a core with a b"):
        link({"a": streamed(ROOMY, 0, 1)["program 0"], "b": stream})
    program = streamed(ROOMY, 0, 1)["program 0"]
    many = 512 // len(program.instructions) + 1
    needed = many * len(program.instructions)
    with pytest.raises(CapacityError, match=rf"^together the programs need {needed} instructions, the configuration "):
        link({str(number): program for number in range(many)})


def test_other_tables_do_not_come_into_it() -> None:
    programs = drawn_programs(dataclasses.replace(CONFIGS["square"], instructions=64), 1, 1)
    assert link(programs).window_bytes == 0
