"""RunOracle: what a core has to do with a program, as the ISA model and `docs/machine.md` say, and what it did else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.registers import Fault, Region, Status
from narrows.sim.isa_records import MachineError
from narrows.sim.isa_transport import IsaTransport
from numpy.typing import NDArray

from .program_accesses import WINDOW, Access, accesses, instructions_of, own_fault, race
from .run_host import WINDOW_BASE, RunFound, RunHost, RunState

__all__ = ["RunExpected", "RunOracle"]

_MOST_WORDS = 1 << 17
"""Words of a transfer beyond which the ISA model is not asked: they take minutes."""

_NEAR = 4
"""A model that knows stalls of the bus on average is right about the watchdog within this factor."""


@dataclass(frozen=True, kw_only=True)
class RunExpected:
    """What the ISA model says of a run: what it left, None where no core has to do anything in particular, and the
    words of activations and store that may hold anything then. ``either`` are further outcomes that are as good."""

    found: RunFound | None
    said: str
    activations: NDArray[np.int64] | None = None
    store: NDArray[np.int64] | None = None
    either: frozenset[tuple[Fault, int]] = frozenset()


class RunOracle:
    """Says of the program that a model holds how a run of it has to end.

    Parameters
    ----------
    model : IsaTransport
    state : RunState
    limit : int
        What the watchdog is set to.
    """

    def __init__(self, model: IsaTransport, state: RunState, limit: int) -> None:
        self._isa, self._config = model.machine, model.machine.config
        self._model, self._state, self._limit = RunHost(model, self._config), state, limit

    async def expected(self) -> RunExpected:
        """Run the program on the model."""
        isa = self._isa
        if any(
            fields["count"] * fields["lines"] > _MOST_WORDS
            for _, opcode, fields in instructions_of(isa)
            if opcode is not Opcode.COMPUTE
        ):
            return RunExpected(found=None, said="not asked")
        isa.clear()
        try:
            await self._model.begin(self._state, cleared=True)
            found = await self._model.found(self._state, 0)
        except MachineError:
            return RunExpected(found=None, said="undefined")
        said = found.fault.name if found.fault is not Fault.NONE else "END"
        loose: dict[Region, NDArray[np.int64] | None] = {}
        either: set[tuple[Fault, int]] = set()
        if self._config.has_backing:
            try:
                loose = self._loose_transfers(found)
            except MachineError:  # an instruction behind the one at fault, which a core may have begun
                loose = {Region.ACTIVATIONS: None, WINDOW: None}
            either = self._either(found)
        if found.fault is Fault.WATCHDOG:
            loose[Region.ACTIVATIONS] = None
        every = {Region.ACTIVATIONS: self._config.act_words, WINDOW: self._state.window // 4}
        places = {
            region: np.arange(every[region]) if words is None else words % every[region]
            for region, words in loose.items()
        }
        return RunExpected(
            found=found,
            said=said,
            activations=places.get(Region.ACTIVATIONS),
            store=places.get(WINDOW),
            either=frozenset(either),
        )

    def _loose_transfers(self, found: RunFound) -> dict[Region, NDArray[np.int64] | None]:
        """What transfers may have left, where the run was ended under them or their order is open."""
        every = accesses(self._isa)
        if found.fault is Fault.NONE:
            return {Region.ACTIVATIONS: None, WINDOW: _written(every, WINDOW)} if race(every) else {}
        moved = {index: access for index, access in every.items() if access.fields["opcode"] != Opcode.COMPUTE}
        loose: dict[Region, NDArray[np.int64] | None] = {WINDOW: _written(moved, WINDOW)}
        loose[Region.ACTIVATIONS] = _written(moved, Region.ACTIVATIONS)
        if race(every) or found.fault in (Fault.WINDOW, Fault.BUS, Fault.WATCHDOG):
            loose[Region.ACTIVATIONS] = None
        return loose

    def _either(self, found: RunFound) -> set[tuple[Fault, int]]:
        """Outcomes of a core with a backing store that depend on when things happen."""
        faults = {}
        last = self._isa.entry
        for last, _, _ in instructions_of(self._isa):
            faults[last] = own_fault(self._isa, last)
        behind = last + 1
        faults[behind] = own_fault(self._isa, behind) if behind < self._config.instructions else Fault.NONE
        either = {(fault, index) for index, fault in faults.items() if fault is not Fault.NONE}
        if found.fault is Fault.NONE and found.cycles * _NEAR > self._limit:
            either |= {(Fault.WATCHDOG, index) for index in range(found.index, behind + 1)}
        if found.fault is Fault.WATCHDOG:
            either |= {(Fault.WATCHDOG, index) for index in range(behind + 1)}
        return either

    def differences(self, expected: RunExpected, found: RunFound, kept: NDArray[np.uint32]) -> list[str]:
        """What a core left otherwise, whose checksums were ``kept`` before the run."""
        wrong, right = [], expected.found
        outside = np.ones(len(found.store), dtype=bool)
        outside[WINDOW_BASE // 4 :][: self._state.window // 4] = False
        if (found.store != self._state.store)[outside].any():
            wrong.append("the store outside the window has changed")
        if right is None:
            return wrong
        if found.outcome != right.outcome:
            if found.outcome not in expected.either:
                wrong.append(f"{found.fault.name} at {found.index}, not {right.fault.name} at {right.index}")
            return wrong
        if (found.status ^ right.status) & ~Status.REFUSED:
            wrong.append(f"STATUS {found.status:x}, not {right.status:x}")
        stride = len(found.activations) // self._config.act_words
        different = (found.activations != right.activations).reshape(-1, stride).any(axis=1)
        if expected.activations is not None:
            different[expected.activations] = False
        if different.any():
            wrong.append(f"activation word {int(np.flatnonzero(different)[0])} and {int(different.sum()) - 1} others")
        beyond = found.store != right.store
        if expected.store is not None:
            beyond[WINDOW_BASE // 4 + expected.store] = False
        if beyond.any():
            wrong.append(f"word {int(np.flatnonzero(beyond)[0])} of the store")
        if right.fault is Fault.NONE and not self._config.has_backing and found.cycles != right.cycles:
            wrong.append(f"{found.cycles} cycles, not {right.cycles}")
        return wrong + self._checksum_differences(expected, found, kept)

    def _checksum_differences(self, expected: RunExpected, found: RunFound, kept: NDArray[np.uint32]) -> list[str]:
        """Of instructions that were done, and of others, whose entries stay."""
        right = expected.found
        assert right is not None
        end = right.index if right.fault is not Fault.NONE else self._config.instructions
        done = [index for index, opcode, _ in instructions_of(self._isa) if opcode is Opcode.COMPUTE and index < end]
        stay = np.ones(len(found.checksums), dtype=bool)
        stay[done] = False
        if expected.activations is not None:  # what was computed may depend on what is open
            done = [] if self._config.has_backing else done
            stay[:] &= not self._config.has_backing
        wrong = [f"checksum {index}" for index in done if found.checksums[index] != right.checksums[index]]
        if (found.checksums != kept)[stay].any():
            wrong.append("a checksum of an instruction that was not run")
        return wrong


def _written(found: dict[int, Access], region: Region) -> NDArray[np.int64]:
    words = [access.writes[region] for access in found.values() if region in access.writes]
    return np.concatenate(words) if words else np.zeros(0, dtype=np.int64)
