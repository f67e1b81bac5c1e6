"""Programs that are resident together on the simulated core: run by turns, each gives what it gives alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from linked_cases import drawn_programs, drawn_turns, turn_differences
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import INSTRUCTION_WORDS
from narrows.hw.spec.registers import Control, Fault, Region, Register, Status, region_address
from narrows.sim.cosim.inference import run_resident
from narrows.sim.cosim.session import simulate
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile.link import link
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.linked import Linked
from narrows.sw.runtime import Transport, run_sync
from narrows.sw.runtime.feed import feed_of
from narrows.sw.runtime.resident import Turn, run_turns
from numpy.typing import NDArray
from random_graphs import CONFIGS

ORDERS = {2: (0, 1, 0, 1, 1, 0), 3: (0, 1, 2, 1, 0, 1, 2, 2)}
TABLES = dataclasses.replace(CONFIGS["tables"], tables=6, instructions=48)
FRAMES = dataclasses.replace(CONFIGS["square"], instructions=64, frame_bytes=1024, streams=1)
BACKED = dataclasses.replace(CONFIGS["square"], instructions=256, backing="axi4", act_words=512, weight_words=256)
LATE = dataclasses.replace(CONFIGS["fetched late"], instructions=48, fabric="ice40")
_COUNTERS = ("cycles", "busy", "stall_drain", "stall_walk")


def cases(config: AcceleratorConfig, count: int) -> Linked:
    """The first programs drawn that fit together; some layers look results up where the core has tables."""
    seed = 0
    while True:
        seed += 1
        try:
            linked = link(drawn_programs(config, seed, count))
        except (CapacityError, CertificateError):
            continue
        frames = not config.frame_bytes or all(feed_of(program, config) for program in linked.values())
        if frames and (not config.tables or len(linked["program 0"].tables)):
            return linked


@pytest.mark.parametrize(
    ("config", "count"),
    [(TABLES, 3), (LATE, 2), (FRAMES, 2), (BACKED, 2)],
    ids=["three, with tables", "two", "frames", "backing store"],
)
def test_by_turns_every_program_gives_what_it_gives_alone(config: AcceleratorConfig, count: int) -> None:
    linked = cases(config, count)
    turns = drawn_turns(linked, 5, ORDERS[count])
    model = run_sync(run_turns(IsaTransport(linked.config), linked, turns))
    assert turn_differences(linked, turns, model) == []
    core = run_resident(linked, turns, verilog=CoreVerilog(linked.config), stall=100)
    for expected, result in zip(model, core, strict=True):
        for name in ("checksums", "busy") if config.has_backing else ("checksums", *_COUNTERS):
            np.testing.assert_array_equal(getattr(result.record, name), getattr(expected, name))
        assert expected.outputs.keys() == result.record.outputs.keys()
        for tensor, levels in expected.outputs.items():
            np.testing.assert_array_equal(result.record.outputs[tensor], levels)


async def meddle(transport: Transport, config: AcceleratorConfig) -> list[int]:
    """What registers read after each of some steps."""
    last, seen = config.instructions - 1, []

    async def put(register: Register, value: int) -> None:
        await transport.write(register.offset, np.array([value], dtype=np.uint32))

    async def look() -> None:
        for register in (Register.ENTRY, Register.STATUS, Register.FAULT_INDEX):
            seen.append(int((await transport.read(register.offset, 1))[0]))

    await look()
    await put(Register.ENTRY, last)
    await put(Register.CONTROL, Control.START)  # without PROGRAM_CONFIG
    await transport.wait(1000)
    await look()
    place = region_address(config, Region.INSTRUCTIONS, last * INSTRUCTION_WORDS)
    await transport.write(place, np.array([7], dtype=np.uint32))  # no opcode
    await put(Register.PROGRAM_CONFIG, config.hash32)
    await put(Register.CONTROL, Control.CLEAR | Control.START)
    await transport.wait(1000)
    await look()
    await put(Register.CONTROL, Control.CLEAR)
    await put(Register.ENTRY, last + 1)
    await look()
    await put(Register.CONTROL, Control.CLEAR)
    await put(Register.ENTRY, 1)
    await look()
    return seen


def test_faults_name_the_instruction_in_memory_and_no_other_entry_is_taken() -> None:
    config = dataclasses.replace(LATE, entry=1)
    last = config.instructions - 1
    fault = Status.FAULT
    assert simulate(CoreVerilog(config), lambda transport: meddle(transport, config)).result == [
        *(0, 0, 0),
        *(last, Fault.CONFIG_MISMATCH << 8 | fault, last),
        *(last, Fault.ILLEGAL_INSTRUCTION << 8 | fault, last),
        *(last, Status.REFUSED, 0),
        *(1, 0, 0),
    ]


async def hurry(transport: Transport, linked: Linked, levels: NDArray[np.int64]) -> tuple[NDArray[np.int64], int, int]:
    """ENTRY written while a program runs: outputs of the next run, ENTRY and STATUS."""
    names = list(linked)
    turns = [Turn(names[0], levels)]
    await run_turns(transport, linked, turns)
    await transport.write(Register.CONTROL.offset, np.array([Control.START], dtype=np.uint32))
    await transport.write(Register.ENTRY.offset, np.array([linked[names[1]].entry], dtype=np.uint32))
    [entry] = await transport.read(Register.ENTRY.offset, 1)
    [status] = await transport.read(Register.STATUS.offset, 1)
    await transport.wait(100_000)
    again = await run_turns(transport, linked, turns)
    return next(iter(again[0].outputs.values())), int(entry), int(status)


def test_a_run_is_not_led_astray() -> None:
    linked = cases(LATE, 2)
    turn = drawn_turns(linked, 3, [0])[0]
    job = simulate(CoreVerilog(linked.config), lambda transport: hurry(transport, linked, turn.levels[:1]))
    output, entry, status = job.result
    assert (entry, status) == (0, Status.BUSY | Status.REFUSED)
    right = run_sync(run_turns(IsaTransport(linked.config), linked, [Turn(turn.name, turn.levels[:1])]))[0].outputs
    np.testing.assert_array_equal(output, next(iter(right.values())))
