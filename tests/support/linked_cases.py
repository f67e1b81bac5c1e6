"""Random programs that are resident together, and turns of them on any transport, held against each program alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.program import Program
from narrows.sw.runtime.resident import Turn
from narrows.sw.runtime.samples import SampleRecord
from random_graphs import GraphBuilder, random_chain, random_levels, random_stream

__all__ = ["drawn_programs", "drawn_turns", "turn_differences"]


def drawn_programs(config: AcceleratorConfig, seed: int, count: int) -> dict[str, Program]:
    """So many programs by name, the second one with states where the core has no backing store.

    Raises
    ------
    CapacityError, CertificateError
        If one does not fit.
    """
    programs = {}
    for number in range(count):
        build = GraphBuilder(config, np.random.default_rng((seed, number)))
        streams = number == 1 and not config.has_backing
        graph = random_stream(build) if streams else random_chain(build, 3)
        programs[f"program {number}"] = compile_graph(graph, config)
    return programs


def drawn_turns(programs: Mapping[str, Program], seed: int, order: Sequence[int]) -> list[Turn]:
    """For each number in ``order`` a turn of one or two samples of the program of that number."""
    rng, names = np.random.default_rng(seed), list(programs)
    turns = []
    for number in order:
        graph = programs[names[number]].graph
        samples = [random_levels(graph, rng) for _ in range(int(rng.integers(1, 3)))]
        turns.append(Turn(names[number], np.stack(samples)))
    return turns


def turn_differences(
    programs: Mapping[str, Program], turns: Sequence[Turn], records: Sequence[SampleRecord]
) -> list[str]:
    """What differs from the golden model, which runs all samples of a program in a row; empty where all is right.

    Tensors of outputs, and checksums of instructions where they do not depend on what the memory held before.
    """
    differences = []
    for name, program in programs.items():
        levels = [turn.levels for turn in turns if turn.name == name]
        if not levels:
            continue
        found = [record for turn, record in zip(turns, records, strict=True) if turn.name == name]
        golden = GoldenModel(program.graph, program.config).run(np.concatenate(levels))
        checksums = np.concatenate([record.checksums for record in found])
        for tensor in program.graph.output_tensors:
            if not np.array_equal(np.concatenate([record.outputs[tensor] for record in found]), golden[tensor]):
                differences.append(f"{name}: {tensor}")
        for number, row in enumerate(checksums):
            right = {tensor: golden[tensor][number] for tensor in golden}
            for index, value in enumerate(expected_checksums(program, right)):
                if value is not None and row[index] != value:
                    differences.append(f"{name}, sample {number}: checksum of instruction {index}")
    return differences
