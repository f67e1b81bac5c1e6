"""run_interrupted: runs on a simulated core that something happens to, each followed by one that has to be exact."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Access, Control, Fault, Register, Status, core_registers
from narrows.sim.cosim.inference import Progress
from narrows.sim.cosim.player import Habit
from narrows.sim.golden import GoldenModel
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError
from numpy.typing import NDArray

__all__ = ["EVENTS", "Interrupted", "run_interrupted"]

EVENTS = ("clear", "reset", "doorbell", "bus error", "dead bus", "pause of the bus")
"""The host gives the run up; everything is reset; the host starts a run that lasts; transfers fail from a moment on;
the memory stops answering and the host gives up; it stops answering for a while. The last three need a bus."""


class Interrupted(NamedTuple):
    """How many points of each event were tried, how the runs ended, what was wrong; and what a run takes."""

    points: Counter[str]
    ends: Counter[str]
    wrong: list[dict[str, Any]]
    run_cycles: int


_OF_BUS = EVENTS[3:]
_SOON = 20_000
"""Cycles within which a core is at rest once a run was given up."""

_NEAR_END = 100


class _Twice(Transport):
    """A transport that does something more behind a START."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.after: tuple[str, int, int] | None = None

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        await self._inner.write(address, values)
        if self.after is not None and address == Register.CONTROL.offset and int(values[0]) & Control.START:
            (event, moment, length), self.after = self.after, None
            await self._inner.pause(moment)
            if event == "doorbell":
                await self._inner.write(address, values)
            else:
                await self._inner.set_bus(habits=Habit.DEAD)
                await self._inner.pause(length)
                await self._inner.set_bus()

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        return await self._inner.read(address, count)

    async def write_backing(self, address: int, values: NDArray[np.uint32]) -> None:
        await self._inner.write_backing(address, values)

    async def read_backing(self, address: int, count: int) -> NDArray[np.uint32]:
        return await self._inner.read_backing(address, count)

    async def wait(self, timeout_cycles: int) -> int | None:
        return await self._inner.wait(timeout_cycles)


class _Host:
    """What a host does to a core that runs."""

    def __init__(self, transport: Any, config: AcceleratorConfig) -> None:
        self._transport, self._config = transport, config
        self._registers: dict[Register, int] = {}

    async def put(self, register: Register, value: int) -> None:
        """Write a register."""
        await self._transport.write(register.offset, np.array([value], dtype=np.uint32))

    async def status(self) -> int:
        """STATUS once the core is not busy; TransportError if that takes too long."""
        for _ in range(20):
            [status] = await self._transport.read(Register.STATUS.offset, 1)
            if not int(status) & Status.BUSY:
                return int(status)
            await self._transport.pause(_SOON // 20)
        raise TransportError(f"the core is still busy {_SOON} cycles later: STATUS reads {int(status):x}")

    async def remember(self) -> None:
        """Keep the registers that the driver has written."""
        for register in core_registers(self._config):
            if register.access is Access.WRITE and register not in (Register.CONTROL, Register.IRQ_STATUS):
                [value] = await self._transport.read(register.offset, 1)
                self._registers[register] = int(value)

    async def happen(self, event: str, moment: int) -> str:
        """Start a run, let something happen to it after so many cycles, and bring the core to rest; how the run
        ended."""
        transport, config = self._transport, self._config
        await self.put(Register.CONTROL, Control.START)
        await transport.pause(moment)
        if event == "reset":
            await transport.reset()
            for register, value in self._registers.items():
                await self.put(register, value)
        elif event == "bus error":
            await transport.set_bus(habits=Habit.FAILING)
            await transport.wait(self._registers[Register.WATCHDOG] + _SOON)
            await transport.set_bus()
        elif event == "dead bus":
            await transport.set_bus(habits=Habit.DEAD)
            await transport.pause(100)
            await self.put(Register.CONTROL, Control.CLEAR)
            await transport.pause(100)
            await transport.set_bus()
        else:
            await self.put(Register.CONTROL, Control.CLEAR)
        status = await self.status()
        [index] = await transport.read(Register.FAULT_INDEX.offset, 1)
        fault = Fault(status >> 8 & 0xFF)
        if status & Status.FAULT:
            await self.put(Register.CONTROL, Control.CLEAR)
        if fault not in ((Fault.NONE, Fault.BUS) if config.has_backing else (Fault.NONE,)):
            return f"{fault.name} at {index}"
        return fault.name if fault is not Fault.NONE else "DONE" if status & Status.DONE else "given up"


async def run_interrupted(
    transport: Any, program: Program, samples: NDArray[np.int64], count: int, seed: int, progress: Progress
) -> Interrupted:
    """Interrupt runs of samples (N, C, H, W) by turns, at so many points."""
    config, rng = program.config, np.random.default_rng(seed)
    golden = GoldenModel(program.graph, config).run(samples)
    behind = _Twice(transport)
    driver, host = Driver(behind, config), _Host(transport, config)
    await driver.load(program)
    await host.remember()
    span = (await driver.infer(samples[0])).cycles
    events = [event for event in EVENTS if config.has_backing or event not in _OF_BUS]
    points, ends, wrong = Counter[str](), Counter[str](), list[dict[str, Any]]()

    async def exact(number: int) -> bool:
        outputs = (await driver.infer(samples[number])).outputs
        return all(np.array_equal(outputs[name], golden[name][number]) for name in outputs)

    for point in range(count):
        event, moment = events[point % len(events)], int(rng.integers(1, span))
        if event == "doorbell":  # not behind the end, where it would begin another run
            moment = max(1, min(moment, span - _NEAR_END))
        told = {"event": event, "cycle": moment}
        try:
            if event in ("doorbell", "pause of the bus"):
                behind.after = event, moment, int(rng.integers(1, span))
                end = "exact" if await exact(point % len(samples)) else "wrong"
            else:
                end = await host.happen(event, moment)
            if end == "wrong" or " at " in end:
                wrong.append(told | {"run": end})
            if not await exact((point + 1) % len(samples)):
                wrong.append(told | {"next": "wrong"})
        except TransportError as error:
            wrong.append(told | {"error": str(error)})
            await transport.set_bus()
            await transport.reset()
            await driver.load(program)
            end = "error"
        points[event] += 1
        ends[f"{event}: {end}"] += 1
        progress(point + 1, count)
    return Interrupted(points, ends, wrong, span)
