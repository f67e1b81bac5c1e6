"""Programs for a backing store: exact on the ISA model however small the memories are, and the same every time."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from narrows.hw.spec.cycles import fetch_cycles
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.isa import Opcode, decode_instruction
from narrows.hw.spec.registers import Region
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph, tiles
from narrows.sw.compile.lower import lower_layer
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from narrows.sw.runtime.samples import SampleRecord, run_samples
from narrows.sw.runtime.transport import run_sync
from random_graphs import CONFIGS, SAME, GraphBuilder, random_chain, random_enlarging, random_levels

TIGHT = {"act_words": 256, "weight_words": 128, "param_words": 16}
LATENCY = BusTiming(latency=64)


def streamed(name: str, **changes):
    return dataclasses.replace(CONFIGS[name], **{"backing": "axi4", "instructions": 1024} | changes)


def run(program: Program, seed: int, *, bus: BusTiming = LATENCY) -> SampleRecord:
    """Run two samples; tensors, layers' tensors and checksums are those of the golden model."""
    rng = np.random.default_rng(seed)
    levels = np.stack([random_levels(program.graph, rng) for _ in range(2)])
    record = run_sync(run_samples(IsaTransport(program.config, bus=bus), program, levels, dump_layers=1))
    golden = GoldenModel(program.graph, program.config).run(levels)
    for name, found in record.outputs.items():
        np.testing.assert_array_equal(found, golden[name], err_msg=f"{name}, seed {seed}")
    for name, found in record.dumps.items():
        np.testing.assert_array_equal(found[0], golden[name][0], err_msg=f"{name} after its layer, seed {seed}")
    for number in range(2):
        expected = expected_checksums(program, {name: tensor[number] for name, tensor in golden.items()})
        found = [
            None if sum_ is None else int(core) for sum_, core in zip(expected, record.checksums[number], strict=True)
        ]
        assert found == list(expected), seed
    return record


def test_bands_that_are_alike_are_lowered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = streamed("square", **TIGHT)
    build = GraphBuilder(config, np.random.default_rng(0))
    x, levels = build.tensor((4, 200, 6), DyBit(4)), DyBit(4).levels
    x = build.mac([build.segment(x, 4, **SAME, levels=levels)], (200, 6), DyBit(4))
    graph = build.graph([build.mac([build.segment(x, 4, **SAME, levels=levels)], (200, 6), DyBit(4))])
    lowered: list[str] = []

    def counted(layer, *arguments, **named):
        lowered.append(layer.name)
        return lower_layer(layer, *arguments, **named)

    monkeypatch.setattr(tiles, "lower_layer", counted)
    program = compile_graph(graph, config)
    bands = Counter(
        layer for layer, words in zip(program.layers, program.instructions, strict=True) if is_compute(words)
    )
    assert min(bands.values()) > 12
    assert max(Counter(lowered).values()) <= 6  # first, middle and last ones, each in either of two buffers
    run(program, 0)


def is_compute(words) -> bool:
    return decode_instruction(words.tolist())[0] is Opcode.COMPUTE


@pytest.mark.parametrize("name", ["square", "more lanes", "odd columns", "int3"])
def test_random_graphs_in_tight_memories_are_exact(name: str) -> None:
    config = streamed(name, **TIGHT)
    outside = 0
    for seed in range(8):
        build = GraphBuilder(config, np.random.default_rng(seed))
        try:
            program = compile_graph(random_chain(build, 3), config)
        except (CapacityError, CertificateError):
            continue
        outside += len(program.external)
        run(program, seed)
    assert outside or name != "square"


@pytest.mark.parametrize(
    ("name", "words"),
    [("square", 64), ("more lanes", 64), ("odd columns", 64), ("int3", 64), ("two rows drained", 128)],
)
def test_layers_that_enlarge_are_exact_in_tight_memories(name: str, words: int) -> None:
    config = streamed(name, **TIGHT | {"act_words": words})
    outside = 0
    for seed in range(10):
        try:
            program = compile_graph(random_enlarging(GraphBuilder(config, np.random.default_rng(seed))), config)
        except CapacityError:
            continue
        outside += len(program.external)
        run(program, seed)
    assert outside


def conv(config, channels: int, size: int) -> Program:
    build = GraphBuilder(config, np.random.default_rng(0))
    source = build.tensor((channels, size, size), DyBit(4))
    segments = [build.segment(source, channels, **SAME, levels=DyBit(4).levels)]
    return compile_graph(build.graph([build.mac(segments, (size, size), DyBit(4))]), config)


def instructions(program: Program) -> list[tuple[Opcode, dict[str, int]]]:
    return [
        (opcode, dict(fields))
        for opcode, fields in (decode_instruction(words.tolist()) for words in program.instructions)
    ]


def test_a_layer_larger_than_every_memory_is_tiled_and_exact() -> None:
    config = streamed("square", act_words=512, weight_words=160, param_words=8)
    program = conv(config, 32, 14)
    assert program.external == {name: program.external[name] for name in ("t0", "t1")}
    assert all(program.layouts[name].size > config.act_words for name in program.external)
    assert 4 * len(program.backing) > config.weight_words * config.weight_word_bits // 8
    kinds = Counter(opcode for opcode, _ in instructions(program))
    bands, tiles = kinds[Opcode.STORE], kinds[Opcode.COMPUTE]
    assert bands > 1
    assert tiles > bands
    run(program, 0)


def test_bands_go_through_two_buffers_and_are_loaded_ahead() -> None:
    program = conv(streamed("square", act_words=512, weight_words=4096), 16, 14)
    loads = [
        (index, fields["address"])
        for index, (opcode, fields) in enumerate(instructions(program))
        if opcode is Opcode.LOAD and fields["memory"] == Region.ACTIVATIONS
    ]
    computes = [index for index, (opcode, _) in enumerate(instructions(program)) if opcode is Opcode.COMPUTE]
    assert len({address for _, address in loads}) == 2
    assert [address for _, address in loads[:4]] == [loads[0][1], loads[1][1]] * 2
    for (index, _), before in zip(loads[1:], computes, strict=False):
        assert index < before


def test_what_fits_stays_on_the_chip_and_is_loaded_once() -> None:
    program = conv(streamed("square"), 8, 6)
    assert program.external == {}
    kinds = Counter(opcode for opcode, _ in instructions(program))
    assert (kinds[Opcode.COMPUTE], kinds[Opcode.LOAD], kinds[Opcode.STORE]) == (1, 2, 0)
    assert not program.weights.size
    assert not program.params.size


def test_the_same_graph_gives_the_same_bytes() -> None:
    config = streamed("square", **TIGHT)
    programs = []
    for _ in range(2):
        build = GraphBuilder(config, np.random.default_rng(6))
        programs.append(compile_graph(random_chain(build, 3), config).to_bytes())
    assert programs[0] == programs[1]
    assert Program.from_bytes(programs[0]).to_bytes() == programs[0]


def test_a_slow_bus_shows_as_waiting_for_the_loader() -> None:
    program = conv(streamed("square", weight_words=256), 32, 6)
    fast, slow = (run(program, 0, bus=BusTiming(latency=64, pace=pace)) for pace in (1, 16))
    more = int(slow.cycles[0] - fast.cycles[0])
    assert more > 0
    # what is fetched behind a LOAD for which the queue was full is no waiting
    loads = sum(opcode is Opcode.LOAD for opcode, _ in instructions(program))
    assert 0 <= more - int(slow.stall_load[0] - fast.stall_load[0]) <= loads * fetch_cycles(program.config)
    assert fast.busy[0] == slow.busy[0]
    assert slow.stall_store[0] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"act_words": 64}, "words of activation memory, the configuration has 64"),
        ({"weight_words": 16}, "the model needs 72 weight_words for 1 column groups, the configuration has 16"),
        ({"instructions": 16}, "instructions, the configuration has 16"),
    ],
)
def test_what_no_tiling_fits_is_refused_with_the_parameter_to_raise(changes: dict[str, int], message: str) -> None:
    with pytest.raises(CapacityError, match=message):
        conv(streamed("square", **{"weight_words": 160, "act_words": 512} | changes), 32, 14)
