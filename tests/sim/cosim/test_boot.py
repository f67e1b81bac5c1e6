"""Cores that load their program from a flash by themselves, behind a bus and behind a UART."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from linked_cases import drawn_programs, drawn_turns, turn_differences
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.boot import REST_CYCLES, BootState
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Control, Region, Register, Status, Stream, region_address
from narrows.sim.cosim.serial_bench import LineCommand
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.compile.link import link
from narrows.sw.errors import ProgramMismatch
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError, run_sync
from narrows.sw.runtime.boot import boot_image
from narrows.sw.runtime.resident import run_turns
from narrows.sw.runtime.serving import serving_of
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_chain, random_levels

SHAPE = {
    "rows": 1,
    "columns": 1,
    "lanes": 4,
    "rescalers": 1,
    "acc_bits": 32,
    "act_words": 1024,
    "weight_words": 4096,
    "param_words": 128,
    "blocks": 128,
    "instructions": 32,
    "boot": 1,
    "flash_offset": 0x20000,
    "flash_divisor": 2,
}
AXI = AcceleratorConfig(**SHAPE)
UART = AcceleratorConfig(host="uart", uart_divisor=4, frame_bytes=1024, **SHAPE)
SERVES = AcceleratorConfig(frame_bytes=1024, streams=1, **SHAPE)
ICE40 = AcceleratorConfig(host="bare", fabric="ice40", **SHAPE)


def program_and_levels(config: AcceleratorConfig, seed: int) -> tuple[Program, NDArray[np.int64]]:
    program = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 2), config)
    return program, random_levels(program.graph, np.random.default_rng(seed))[np.newaxis]


def run(job: Callable[..., Any], seed: int, config: AcceleratorConfig, flash: bytes = b"", *more: Any) -> Any:
    """What a job gives (of transport, program, sample and ``more``) on a core with something in its flash, its boot
    image if nothing else; and the outputs that the golden model says."""
    # a program of a core without boot: none depends on it
    program, levels = program_and_levels(dataclasses.replace(config, boot=0, flash_offset=0, flash_divisor=0), seed)
    done = simulate(
        CoreVerilog(config),
        lambda transport: job(transport, program, levels[0], *more),
        flash=flash or boot_image(program, config),
        flash_offset=config.flash_offset,
    )
    golden = GoldenModel(program.graph, config).run(levels)
    return done.result, {name: golden[name][0] for name in program.graph.output_tensors}


async def status(transport: Any) -> tuple[int, int]:
    first = Register.STATUS.offset
    words = await transport.read(first, (Register.BOOT.offset - first) // 4 + 1)
    return int(words[0]), int(words[-1])


async def attaches(transport: Any, program: Program, sample: NDArray[np.int64]) -> Any:
    """Answers without a load; what a second attach says once another program was there."""
    early, boot = await status(transport)
    driver = Driver(transport, program.config)
    await driver.attach(program)
    cycles = transport.cycles
    outputs = (await driver.infer(sample)).outputs
    await driver.attach(program)
    for name, levels in (await driver.infer(sample)).outputs.items():
        np.testing.assert_array_equal(levels, outputs[name])
    await driver.load(program)
    later = dict((await driver.infer(sample)).outputs)
    for name, levels in later.items():
        np.testing.assert_array_equal(levels, outputs[name])
    with pytest.raises(ProgramMismatch, match="a host has loaded another one since"):
        await driver.attach(program)
    return outputs, {"busy": early & Status.BUSY, "boot": boot & 0xFF, "cycles": cycles}


@pytest.mark.parametrize("config", [AXI, UART, ICE40], ids=["axi", "uart", "ice40"])
def test_a_core_boots_and_answers_as_the_golden_model(config: AcceleratorConfig) -> None:
    (outputs, values), expected = run(attaches, 1, config)
    for name, levels in expected.items():
        np.testing.assert_array_equal(outputs[name], levels)
    if config.host != "uart":  # a serial link takes longer to open than this boot
        assert (values["busy"], values["boot"]) == (Status.BUSY, BootState.BOOTING)


async def impatient(transport: Any, program: Program, sample: NDArray[np.int64]) -> Any:
    """A host that does not wait is refused, and does no harm."""
    word = np.array([1], dtype=np.uint32)
    for region in (Region.WEIGHTS, Region.ACTIVATIONS, Region.INSTRUCTIONS):
        await transport.write(region_address(program.config, region), word)
        with pytest.raises(TransportError, match="refused"):
            await status(transport)  # until then a write is queued
    with pytest.raises(TransportError, match="refused"):
        await transport.read(region_address(program.config, Region.ACTIVATIONS), 1)
    await transport.write(Register.PROGRAM_CONFIG.offset, word)
    await transport.write(Register.CONTROL.offset, np.array([Control.START], dtype=np.uint32))
    early = (await status(transport))[0]
    driver = Driver(transport, program.config)
    await driver.attach(program)
    return (await driver.infer(sample)).outputs, {"early": early}


def test_a_host_that_does_not_wait_does_no_harm() -> None:
    (outputs, values), expected = run(impatient, 2, AXI)
    assert values["early"] == Status.BUSY | Status.REFUSED
    for name, levels in expected.items():
        np.testing.assert_array_equal(outputs[name], levels)


async def stays_empty(transport: Any, program: Program, sample: NDArray[np.int64]) -> Any:
    """What attach says; the core then waits for a host as ever."""
    driver = Driver(transport, program.config)
    with pytest.raises(ProgramMismatch) as told:
        await driver.attach(program)
    after = await status(transport)
    await driver.load(program)
    return (await driver.infer(sample)).outputs, {"told": str(told.value), "after": after}


def flipped(image: bytes) -> bytes:
    return image[:100] + bytes([image[100] ^ 0x10]) + image[101:]


@pytest.mark.parametrize(
    ("damage", "state", "told"),
    [
        (lambda image: b"\xff", BootState.EMPTY, "nothing is written there"),
        (lambda image: b"bitstream", BootState.BAD_MAGIC, "what is there is no boot image"),
        (flipped, BootState.BAD_CRC, "the image there is damaged"),
        (lambda image: image[:-200], BootState.BAD_CRC, "the image there is damaged"),
    ],
    ids=["empty", "other", "flipped", "cut short"],
)
def test_a_core_without_a_whole_image_waits_for_a_host(
    damage: Callable[[bytes], bytes], state: BootState, told: str
) -> None:
    image = boot_image(program_and_levels(AXI, 3)[0], AXI)
    (outputs, values), expected = run(stays_empty, 3, AXI, damage(image))
    assert told in values["told"]
    assert values["after"][0] == 0
    assert values["after"][1] & 0xFF == state
    for name, levels in expected.items():
        np.testing.assert_array_equal(outputs[name], levels)


async def sees_another(transport: Any, program: Program, sample: NDArray[np.int64]) -> Any:
    """A whole image, of another program."""
    with pytest.raises(ProgramMismatch, match="the program in the board's flash is another one"):
        await Driver(transport, program.config).attach(program)
    return {}, {"boot": (await status(transport))[1] & 0xFF}


def test_another_program_is_not_taken_for_this_one() -> None:
    other = boot_image(program_and_levels(AXI, 5)[0], AXI)
    (_, values), _ = run(sees_another, 4, AXI, other)
    assert values["boot"] == BootState.LOADED


async def resets(transport: Any, program: Program, sample: NDArray[np.int64], parts: list[int]) -> Any:
    """Resets in the middle of both readings, then a boot to its end."""
    transport.bench.reset()
    await transport.bench.play()
    started = transport.bench.cycles
    for part in parts:
        transport.bench.gather(
            LineCommand.RECEIVE, 1, part // program.config.uart_divisor
        )  # nothing comes, time passes
        transport.bench.reset()
    await transport.bench.play()
    passed = transport.bench.cycles - started
    driver = Driver(transport, program.config)
    await driver.attach(program)
    return (await driver.infer(sample)).outputs, {"passed": passed}


def test_a_reset_in_the_middle_of_a_boot_begins_it_again() -> None:
    image = boot_image(program_and_levels(UART, 6)[0], UART)
    reading = 2 * UART.flash_divisor * 8 * len(image)  # cycles
    parts = [2000, REST_CYCLES + reading // 2, REST_CYCLES + reading + reading // 2, 4]
    (outputs, values), expected = run(resets, 6, UART, b"", parts)
    assert values["passed"] >= sum(parts) - 8 * len(parts)
    for name, levels in expected.items():
        np.testing.assert_array_equal(outputs[name], levels)


async def hears_nothing_right(transport: Any, program: Program, sample: NDArray[np.int64]) -> Any:
    """How a boot ended."""
    with pytest.raises(ProgramMismatch, match="the core holds no program from its flash"):
        await Driver(transport, program.config).attach(program)
    return {}, {"boot": (await status(transport))[1] & 0xFF}


def test_a_clock_too_fast_for_the_flash_loads_nothing() -> None:
    fast = dataclasses.replace(AXI, flash_divisor=1)  # 50 MHz: data come as late as they are taken
    (_, values), _ = run(hears_nothing_right, 7, fast)
    assert values["boot"] == BootState.BAD_MAGIC


async def serves(transport: Any, program: Program, sample: NDArray[np.int64]) -> Any:
    """A frame that is there from the first cycle on, and one behind it, on a core that nobody else talks to."""
    serving = serving_of(program, SERVES)
    frame = serving.frame(sample)
    for _ in range(2):
        await transport.send_frame(frame)
    answers = await transport.take_answers(2, 10_000_000)
    _, boot = await status(transport)
    stream = int((await transport.read(Register.STREAM.offset, 1))[0])
    name = program.graph.output_tensors[0]
    given = {f"{name}:{number}": serving.given(answer) for number, answer in enumerate(answers)}
    return given, {"boot": boot & 0xFF, "stream": stream}


def test_frames_wait_for_the_boot_and_are_served() -> None:
    program, _ = program_and_levels(AcceleratorConfig(**SHAPE), 1)
    image = boot_image(program, SERVES, serving_of(program, SERVES))
    (outputs, values), expected = run(serves, 1, SERVES, image)
    [(name, levels)] = expected.items()
    for number in range(2):
        np.testing.assert_array_equal(outputs[f"{name}:{number}"], levels)
    assert values == {"boot": BootState.LOADED, "stream": Stream.PRESENT | Stream.ENABLE | Stream.COUNTED}


def test_programs_that_are_resident_together_boot_together() -> None:
    config = dataclasses.replace(AXI, entry=1)
    linked = link(drawn_programs(dataclasses.replace(config, boot=0, flash_offset=0, flash_divisor=0), 1, 2))
    turns = drawn_turns(linked, 1, (1, 0, 1))
    core = simulate(
        CoreVerilog(config),
        lambda transport: run_turns(transport, linked, turns, loaded=True),
        flash=boot_image(linked, config),
        flash_offset=config.flash_offset,
    ).result
    model = run_sync(run_turns(IsaTransport(linked.config), linked, turns))
    assert turn_differences(linked, turns, model) == []
    for found, record in zip(core, model, strict=True):
        np.testing.assert_array_equal(found.cycles, record.cycles)
        assert found.outputs.keys() == record.outputs.keys()
        for name, levels in record.outputs.items():
            np.testing.assert_array_equal(found.outputs[name], levels)
