"""Loader, storer and tokens of a simulated core against the ISA model, over a bus that stalls at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import END, LOAD, Opcode
from narrows.hw.spec.registers import Control, Fault, Region, Register, Status, region_address
from narrows.hw.spec.transfer import PAGE
from narrows.hw.verilog import to_verilog
from narrows.sim.cosim.job import Job, Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.isa_backing import STORE_BYTES
from random_transfers import transfer_config
from transfer_batch import run_transfers

SEEDS = range(40)


@pytest.mark.parametrize(
    ("config", "bus"),
    [
        (transfer_config(64), {"latency": 9, "pace": 1, "stall": 100}),
        (transfer_config(32, lanes=32, columns=6, banks=3), {"latency": 30, "pace": 2, "stall": 40}),
        (transfer_config(128, lanes=4, columns=2, banks=1), {"latency": 1, "pace": 1, "stall": 180}),
    ],
    ids=["64 bits", "32 bits", "128 bits"],
)
def test_random_programs_leave_the_same_memories_whatever_the_bus_does(
    config: AcceleratorConfig, bus: dict[str, int]
) -> None:
    reports = run_transfers(config, SEEDS, **bus)
    assert {seed: report["differences"] for seed, report in zip(SEEDS, reports, strict=True)} == {
        seed: [] for seed in SEEDS
    }


def test_faults_of_the_bus_have_a_name_and_leave_a_core_that_works() -> None:
    config = transfer_config(64)
    result = simulate(to_verilog(config), f"{__name__}:faults", values={"config": config.to_dict()})
    assert result.values["found"] == {
        "load": [Fault.NONE, 0],
        "load beyond the window": [Fault.WINDOW, 2],
        "store beyond the window": [Fault.WINDOW, 1],
        "second line beyond the window": [Fault.WINDOW, 0],
        "load that the bus refuses": [Fault.BUS, 1],
        "store that the bus refuses": [Fault.BUS, 0],
        "memory that cannot be loaded": [Fault.ILLEGAL_INSTRUCTION, 1],
        "nothing to load": [Fault.ILLEGAL_INSTRUCTION, 0],
        "a token that never comes": [Fault.WATCHDOG, 2],
    }


async def faults(transport: Any, job: Job, progress: Progress) -> tuple[dict[str, Any], dict[str, Any]]:
    """The job inside the simulator: each fault, and after each a run that succeeds."""
    config = AcceleratorConfig.from_dict(job.values["config"])
    await transport.set_bus(latency=20, stall=30)
    await transport.write_backing(0, np.arange(PAGE, dtype=np.uint32))

    async def put(register: Register, value: int) -> None:
        await transport.write(register.offset, np.array([value], dtype=np.uint32))

    async def run(*instructions: dict[str, Any], base: int = 0) -> list[int]:
        rows = [LOAD.encode(fields) for fields in instructions] + [END.encode({})]
        words = np.array(rows, dtype=np.uint32).reshape(-1)
        await transport.write(region_address(config, Region.INSTRUCTIONS), words)
        await put(Register.WINDOW_BASE, base)
        await put(Register.CONTROL, Control.CLEAR)
        await put(Register.CONTROL, Control.START)
        await transport.wait(20_000)
        status, index = (int(word) for word in await transport.read(Register.STATUS.offset, 2))
        assert not status & Status.BUSY
        return [status >> 8, index]

    await put(Register.PROGRAM_CONFIG, config.hash32)
    await put(Register.WATCHDOG, 10_000)
    await put(Register.WINDOW_LIMIT, 2 * PAGE)
    moved = {"memory": Region.ACTIVATIONS, "count": 100, "lines": 1}
    load, store = {"opcode": Opcode.LOAD, **moved}, {"opcode": Opcode.STORE, **moved, "external": PAGE}
    cases: dict[str, tuple[list[dict[str, Any]], int]] = {
        "load beyond the window": ([load, store, load | {"external": 2 * PAGE - 396}], 0),
        "store beyond the window": ([load, store | {"external": 2 * PAGE}, load], 0),
        "second line beyond the window": ([load | {"lines": 3, "external_pitch": 2 * PAGE - 400 + 4}], 0),
        "load that the bus refuses": ([load, load | {"external": PAGE}], STORE_BYTES - PAGE),
        "store that the bus refuses": ([store, load], STORE_BYTES - PAGE),
        "memory that cannot be loaded": ([load, load | {"memory": Region.TAPS}], 0),
        "nothing to load": ([load | {"lines": 0}], 0),
        "a token that never comes": ([load, load | {"wait_next": 1}], 0),
    }
    good = [load | {"post_prev": 1}, store | {"wait_next": 1}]
    found = {"load": await run(*good)}
    for name, (instructions, base) in cases.items():
        found[name] = await run(*instructions, base=base)
        await transport.write_backing(PAGE, np.zeros(100, dtype=np.uint32))
        assert await run(*good) == [Fault.NONE, 0], name
        assert (await transport.read_backing(PAGE, 100)).tolist() == list(range(100)), name
    return {}, {"found": found}
