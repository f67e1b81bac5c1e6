"""Resident: programs that lie in one core together; run_turns: samples of them by turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import INSTRUCTION_WORDS
from ...hw.spec.registers import Region, region_address
from ..linked import Linked
from ..program import Program
from .driver import Driver
from .run_result import RunResult
from .samples import SampleRecord, counted_record
from .transport import Transport

__all__ = ["Resident", "Turn", "run_turns"]


@dataclass(frozen=True, eq=False)
class Turn:
    """Samples of one of several programs: its ``name``, and ``levels`` of its input, int64 of shape (N, C, H, W)."""

    name: str
    levels: NDArray[np.int64]


class Resident:
    """One core behind a transport, and the programs that are loaded into it once.

    Parameters
    ----------
    transport : Transport
    config : AcceleratorConfig
        The configuration that the core was generated from.

    Attributes
    ----------
    driver : Driver
        Of the program that was selected last: its `infer`, `answer`, `begin`, `dump` and `serve` are that one's.
    """

    def __init__(self, transport: Transport, config: AcceleratorConfig) -> None:
        self._transport, self._config = transport, config
        self._linked: Linked | None = None
        self.driver = Driver(transport, config)

    async def load(self, linked: Linked, name: str | None = None) -> None:
        """Check the core, fill its memories with all programs, let the streams of all begin, and select one of them,
        the first if none is named.

        Raises
        ------
        InputError
            If there is no program of that name.
        ProgramMismatch, TransportError
            As `Driver.load` does, and where the core begins all runs at its first instruction.
        """
        chosen = name or next(iter(linked))
        programs = list(linked.values())
        await self.driver.load(programs[0])
        for program in programs[1:]:
            place = region_address(self._config, Region.INSTRUCTIONS, INSTRUCTION_WORDS * program.entry)
            await self._transport.write(place, program.instructions.reshape(-1))
        await self._begin(linked, chosen, programs[1:])

    async def attach(self, linked: Linked, name: str | None = None) -> None:
        """Take over a core that has loaded programs from its flash memory by itself (`boot_image`), let the streams of
        all begin, and select one of them, as :meth:`load` does.

        Raises
        ------
        InputError
            If there is no program of that name.
        ProgramMismatch, TransportError
            As `Driver.attach` does.
        """

        async def fill(transport: Transport) -> None:
            await Resident(transport, self._config).load(linked)

        chosen = name or next(iter(linked))
        programs = list(linked.values())
        await self.driver.attach(programs[0], fill=fill)
        await self._begin(linked, chosen, programs[1:])

    async def _begin(self, linked: Linked, chosen: str, others: Sequence[Program]) -> None:
        """Let the streams of programs begin that the driver has not begun, and select one."""
        for program in others:
            if program.graph.states:
                await self.driver.select(program)
                await self.driver.begin()
        self._linked = linked
        await self.select(chosen)

    async def select(self, name: str) -> None:
        """Let the runs from now on be those of a program; states of all programs are as they are.

        Raises
        ------
        ValueError
            If nothing was loaded.
        InputError
            If there is no program of that name.
        ProgramMismatch
            As :meth:`load` does.
        """
        if self._linked is None:
            raise ValueError("load programs first")
        await self.driver.select(self._linked[name])


async def run_turns(
    transport: Transport,
    linked: Linked,
    turns: Sequence[Turn],
    *,
    loaded: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[SampleRecord]:
    """Load programs once and run samples of them, turn by turn; a program with states goes on with its stream.

    Parameters
    ----------
    transport : Transport
        To a core of the programs' configuration.
    linked : Linked
    turns : sequence of Turn
    loaded : bool
        The core has the programs already, from its flash: load nothing.
    progress : callable, optional
        Called with (samples done, samples in all).

    Returns
    -------
    list of SampleRecord
        For each turn what its samples gave; tensors of layers are not read.

    Raises
    ------
    ProgramError, TransportError, InputError
        As `Resident` and `Driver` do.
    """
    resident = Resident(transport, linked.config)
    await (resident.attach(linked) if loaded else resident.load(linked))
    total, done = sum(len(turn.levels) for turn in turns), 0
    records = []
    for turn in turns:
        await resident.select(turn.name)
        found: list[RunResult] = []
        for number, sample in enumerate(turn.levels):
            following = turn.levels[number + 1] if number + 1 < len(turn.levels) else None
            found.append(await resident.driver.infer(sample, following=following))
            done += 1
            if progress is not None:
                progress(done, total)
        tensors = linked[turn.name].graph.output_tensors
        outputs = {tensor: np.array([result.outputs[tensor] for result in found]) for tensor in tensors}
        layer_cycles = np.zeros((0, len(linked[turn.name].graph.layers)), dtype=np.int64)
        records.append(counted_record(found, outputs=outputs, dumps={}, layer_cycles=layer_cycles))
    return records
