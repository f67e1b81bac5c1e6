"""RunHost: a core, or the ISA model, that runs whatever its program memories hold, and all that a run leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Control, Fault, Region, Register, Status, region_address
from narrows.hw.spec.transfer import PAGE
from narrows.sw.runtime import Transport, TransportError
from narrows.sw.runtime.windows import to_burst, window_span
from numpy.typing import NDArray

from .program_mutants import Change

__all__ = ["WINDOW_BASE", "WINDOW_SPARE", "RunFound", "RunHost", "RunState"]

WINDOW_BASE = 2 * PAGE
"""Address of the window on the bus."""

WINDOW_SPARE = 2 * PAGE
"""Of the window, behind what a program uses: what a mutant may reach."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """What memories hold when a run begins: those on the chip that a run writes, a row a word, and the store; bytes of
    the window. After a fault a LOAD may have moved any part of its words, so that without them the next run could read
    what core and model have left differently."""

    memories: Mapping[Region, NDArray[np.uint32]]
    store: NDArray[np.uint32]
    window: int


@dataclass(frozen=True, kw_only=True)
class RunFound:
    """What a run left: STATUS, FAULT_INDEX, CYCLES, activations and store as words of 32 bits, checksums."""

    status: int
    index: int
    cycles: int
    activations: NDArray[np.uint32]
    store: NDArray[np.uint32]
    checksums: NDArray[np.uint32]

    @property
    def fault(self) -> Fault:
        """Why it stopped."""
        return Fault(self.status >> 8 & 0xFF)

    @property
    def outcome(self) -> tuple[Fault, int]:
        """That, and at which instruction."""
        return self.fault, self.index


class RunHost:
    """A core, or the ISA model, that runs whatever its program memories hold."""

    def __init__(self, transport: Transport, config: AcceleratorConfig) -> None:
        self.transport, self._config = transport, config

    async def put(self, register: Register, value: int) -> None:
        """Write a register."""
        await self.transport.write(register.offset, np.array([value], dtype=np.uint32))

    async def change(self, changes: Sequence[Change], *, back: bool = False) -> None:
        """Write the records that are others, or the program's own again."""
        for change in changes:
            words = np.array(change.before if back else change.now, dtype=np.uint32)
            place = change.place * len(words) if change.region is Region.INSTRUCTIONS else change.place
            await self.transport.write(region_address(self._config, change.region, place), words)

    async def begin(self, state: RunState, *, cleared: bool) -> None:
        """Fill the memories and start, with CLEAR in the same write where the core is not yet ``cleared``."""
        config = self._config
        if cleared:
            await self.put(Register.CONTROL, Control.CLEAR)
        for region, words in state.memories.items():
            await self.transport.write(region_address(config, region), to_burst(config, region, words))
        if config.has_backing:
            await self.transport.write_backing(0, state.store)
        await self.put(Register.CONTROL, Control.START | (0 if cleared else Control.CLEAR))

    async def found(self, state: RunState, limit: int) -> RunFound:
        """What the run left once it has ended; TransportError if it does not."""
        config, read = self._config, self.transport.read
        await self.transport.wait(limit)
        status, index, _, cycles = (int(word) for word in await read(Register.STATUS.offset, 4))
        if status & Status.BUSY:
            raise TransportError("the core is busy when its interrupt has come")
        store = np.zeros(0, dtype=np.uint32)
        if config.has_backing:
            store = await self.transport.read_backing(0, len(state.store))
        return RunFound(
            status=status,
            index=index,
            cycles=cycles,
            activations=await read(*window_span(config, Region.ACTIVATIONS, 0, config.act_words)),
            store=store,
            checksums=await read(*window_span(config, Region.CHECKSUMS, 0, config.instructions)),
        )
