"""What goes wrong on the way to a backing store, each followed by a run that must succeed."""

from __future__ import annotations

from typing import Any

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import BLOCK, END, RECORDS, Opcode
from narrows.hw.spec.registers import Control, Fault, Region, Register, Status, region_address
from narrows.hw.spec.transfer import PAGE
from narrows.sim.store_size import STORE_BYTES


async def faults(transport: Any, config: AcceleratorConfig) -> dict[str, list[int]]:
    """Fault and its index of each case; after each a run must succeed."""
    await transport.set_bus(latency=20, stall=30)
    await transport.write_backing(0, np.arange(PAGE, dtype=np.uint32))

    async def put(register: Register, value: int) -> None:
        await transport.write(register.offset, np.array([value], dtype=np.uint32))

    async def run(*instructions: dict[str, Any], base: int = 0) -> list[int]:
        rows = [RECORDS[fields["opcode"]].encode(fields) for fields in instructions] + [END.encode({})]
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
    block = BLOCK.encode({"groups": 1, "tap_count": 1})
    await transport.write(region_address(config, Region.BLOCKS), np.array(block, dtype=np.uint32))
    await transport.write(region_address(config, Region.TAPS), np.zeros(1, dtype=np.uint32))
    ones = ("rows", "planes", "out_height", "out_width", "block_count", "column_groups", "channel_period")
    compute = {"opcode": Opcode.COMPUTE, "origin": 1000, **dict.fromkeys(ones, 1)}
    cases: dict[str, tuple[list[dict[str, Any]], int]] = {
        "load beyond the window": ([load, store, load | {"external": 2 * PAGE - 396}], 0),
        "load beyond the window behind a compute": ([compute, load | {"external": 2 * PAGE}], 0),
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
    return found
