"""run_transfers: random programs with a backing store on one simulated core, each compared with the ISA model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Control, Region, Register, region_address
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.cosim.session import simulate
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import Transport
from narrows.sw.runtime.windows import to_burst, window_span
from numpy.typing import NDArray
from random_transfers import WINDOW_BASE, WINDOW_BYTES, RandomProgram, random_program

__all__ = ["run_one", "run_part", "run_transfers"]

_COUNTERS = (
    Register.CYCLES,
    Register.BUSY,
    Register.STALL_DRAIN,
    Register.STALL_LOAD,
    Register.STALL_STORE,
    Register.STALL_TOKEN,
)


def run_transfers(
    config: AcceleratorConfig,
    seeds: Sequence[int],
    *,
    latency: int,
    pace: int,
    stall: int,
    seed: int = 0,
    habits: int = 0,
    memory: str | None = None,
) -> list[dict[str, Any]]:
    """Run the programs of some seeds; ``memory`` is that of `simulate`.

    Returns
    -------
    list of dict
        For each seed ``differences`` (texts; empty when memories, store, checksums and status agree), and the counters
        of ``core`` and ``model`` by name.
    """

    async def compare(transport: Any) -> list[dict[str, Any]]:
        await transport.set_bus(latency=latency, pace=pace, stall=stall, seed=seed, habits=habits)
        return [await _compare(transport, config, each, BusTiming(latency=latency, pace=pace)) for each in seeds]

    return simulate(CoreVerilog(config), compare, memory=memory).result


def run_part(shared: tuple[AcceleratorConfig, dict[str, int]], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """`run_transfers` as a task; ``shared`` are the core and the bus. Stalls are those of the first seed."""
    config, bus = shared
    return run_transfers(config, seeds, seed=seeds[0], **bus)


async def _compare(transport: Transport, config: AcceleratorConfig, seed: int, timing: BusTiming) -> dict[str, Any]:
    program = random_program(config, seed)
    core = await run_one(transport, config, program)
    model = await run_one(IsaTransport(config, bus=timing), config, program)
    differences = [name for name in core if name != "counters" and not np.array_equal(core[name], model[name])]
    return {"differences": differences, "core": core["counters"], "model": model["counters"]}


async def run_one(transport: Transport, config: AcceleratorConfig, program: RandomProgram) -> dict[str, Any]:
    """Run a program; memories, window, checksums, STATUS and counters afterwards."""

    async def put(register: Register, value: int) -> None:
        await transport.write(register.offset, np.array([value], dtype=np.uint32))

    for region, words in program.memories.items():
        await transport.write(region_address(config, region), to_burst(config, region, words))
    await transport.write_backing(WINDOW_BASE, program.window)
    await put(Register.PROGRAM_CONFIG, config.hash32)
    await put(Register.WATCHDOG, 500_000)
    await put(Register.WINDOW_BASE, WINDOW_BASE)
    await put(Register.WINDOW_LIMIT, WINDOW_BYTES)
    await put(Register.CONTROL, Control.CLEAR)
    await put(Register.CONTROL, Control.START)
    await transport.wait(600_000)
    status = int((await transport.read(Register.STATUS.offset, 1))[0])
    address, count = window_span(config, Region.ACTIVATIONS, 0, config.act_words)
    found: dict[str, NDArray[Any] | dict[str, int]] = {
        "activations": await transport.read(address, count),
        "window": await transport.read_backing(WINDOW_BASE, WINDOW_BYTES // 4),
    }
    checksums = await transport.read(*window_span(config, Region.CHECKSUMS, 0, config.instructions))
    counters = {register.name: int((await transport.read(register.offset, 1))[0]) for register in _COUNTERS}
    return found | {"checksums": checksums[list(program.computes)], "status": np.array(status), "counters": counters}
