"""A bus that falls silent in mid-transfer or answers with errors: the host keeps the core, late answers do no harm."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import END, LOAD, Opcode
from narrows.hw.spec.registers import Control, Fault, Region, Register, Status, region_address
from narrows.hw.spec.transfer import PAGE
from narrows.sim.cosim.player import Habit

_WORDS = 100
_SEED = 5


async def silence(transport: Any, config: AcceleratorConfig) -> dict[str, str]:
    """What did not come out as it must, by case."""
    rng = random.Random(_SEED)
    broken: dict[str, str] = {}

    async def put(register: Register, value: int) -> None:
        await transport.write(register.offset, np.array([value], dtype=np.uint32))

    async def get(register: Register) -> int:
        return int((await transport.read(register.offset, 1))[0])

    async def program(*instructions: dict[str, Any]) -> None:
        rows = [LOAD.encode(fields) for fields in instructions] + [END.encode({})]
        words = np.array(rows, dtype=np.uint32).reshape(-1)
        await transport.write(region_address(config, Region.INSTRUCTIONS), words)

    async def expect(case: str, **found: tuple[Any, Any]) -> None:
        wrong = {name: pair for name, pair in found.items() if pair[0] != pair[1]}
        if wrong:
            broken[case] = repr(wrong)

    moved = {"memory": Region.ACTIVATIONS, "count": _WORDS, "lines": 1}
    load, store = {"opcode": Opcode.LOAD, **moved}, {"opcode": Opcode.STORE, **moved, "external": PAGE}
    good = [load | {"post_prev": 1}, store | {"wait_next": 1}]
    await put(Register.PROGRAM_CONFIG, config.hash32)
    await put(Register.WINDOW_LIMIT, 2 * PAGE)
    await transport.write_backing(0, np.arange(2 * PAGE // 4, dtype=np.uint32))
    for case in range(12):
        name = f"seed {_SEED}, case {case}"
        watched = case % 2
        await transport.set_bus(latency=20, stall=30, seed=1000 + case)
        await put(Register.WATCHDOG, 400 if watched else 0)
        await put(Register.WINDOW_BASE, 0)
        await program(*(good if case % 4 < 2 else [store, load]))
        await put(Register.CONTROL, Control.START)
        for _ in range(rng.randrange(8)):
            await get(Register.STATUS)  # passes time
        await transport.set_bus(latency=20, stall=30, habits=Habit.DEAD)
        for _ in range(60):
            status = await get(Register.STATUS)
        if watched:
            await expect(name, fault=(status, Status.FAULT | Fault.WATCHDOG << 8))
        elif status != Status.BUSY:
            broken[name] = f"the run ended without a bus: STATUS {status:#x}"
        await put(Register.CONTROL, Control.CLEAR)
        for _ in range(20):
            await get(Register.CYCLES)  # passes time
        await expect(name + ", cleared", status=(await get(Register.STATUS), 0))
        words = np.arange(_WORDS, dtype=np.uint32) + 7 * case
        await transport.write(region_address(config, Region.ACTIVATIONS), words)
        found = await transport.read(region_address(config, Region.ACTIVATIONS), _WORDS)
        await expect(name + ", memory", words=(found.tolist(), words.tolist()))
        await program()
        await put(Register.WATCHDOG, 5000)
        await put(Register.CONTROL, Control.START)
        await transport.wait(2000)
        await expect(name + ", run without the bus", status=(await get(Register.STATUS), Status.DONE))
        # what is on offer stays as it is: the memory watches; a run that needs the bus waits for it
        await put(Register.WINDOW_BASE, PAGE)
        await put(Register.WINDOW_BASE, 0)
        await program(*good)
        await put(Register.CONTROL, Control.START)
        await get(Register.STATUS)
        await transport.set_bus(latency=20, stall=30)
        await transport.wait(6000)
        await expect(name + ", run behind it", status=(await get(Register.STATUS), Status.DONE))
        moved_words = await transport.read_backing(PAGE, _WORDS)
        await expect(name + ", result", words=(moved_words.tolist(), list(range(_WORDS))))
        await transport.write_backing(PAGE, np.zeros(_WORDS, dtype=np.uint32))
    for case in range(12):
        # a beat or burst of 256 fails: each run is right, or says which transfer was not
        habit = (0, Habit.WAITS_FOR_BOTH, Habit.DATA_FIRST)[case % 3]
        await transport.set_bus(latency=3, stall=100, seed=2000 + case, habits=Habit.FAULTY | habit)
        await program(*good, *good)
        await put(Register.CONTROL, Control.CLEAR | Control.START)
        await transport.wait(6000)
        status = await get(Register.STATUS)
        if status not in (Status.DONE, Status.FAULT | Fault.BUS << 8):
            broken[f"errors, seed {2000 + case}"] = f"STATUS {status:#x}"
        for _ in range(60):
            await get(Register.STATUS)  # the bus ends what it has begun before it gets other habits
    return broken
