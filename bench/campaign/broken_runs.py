"""break_programs: mutants of programs on a simulated core and on the ISA model, each followed by the program itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.registers import (
    Control,
    Fault,
    Region,
    Register,
    Status,
    region_address,
    region_beats,
    region_depth,
)
from narrows.hw.spec.transfer import PAGE
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.hw.spec.words import pack_codes
from narrows.sim.cosim.core_source import WrittenOnDemand
from narrows.sim.cosim.job import Job, Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.isa_records import MachineError
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError
from narrows.sw.runtime.windows import to_burst, window_span
from numpy.typing import NDArray

from .program_accesses import WINDOW, Access, accesses, instructions_of, own_fault, race
from .program_mutants import Change, ProgramMutants

__all__ = ["BrokenReport", "break_programs"]

_BASE = 2 * PAGE
_SPARE = 2 * PAGE
"""Of the window, behind what the program uses: zeros that a mutant may reach."""

_MOST_WORDS = 1 << 17
"""Words of a transfer beyond which the ISA model is not asked: they take minutes."""

_NEAR = 4
"""A model that knows stalls of the bus on average is right about the watchdog within this factor."""


@dataclass(kw_only=True)
class BrokenReport:
    """How many mutants ran, how often the ISA model said what, and what was wrong."""

    mutants: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    cycles: int = 0


def break_programs(
    programs: Sequence[Program],
    mutants: int,
    seed: int,
    *,
    verilog: WrittenOnDemand | None = None,
    progress: Progress | None = None,
) -> BrokenReport:
    """Run so many mutants of each program, all of one configuration, on a simulated core and on the ISA model; the core
    is that of ``verilog`` if it is given.

    After each the fault, its index and all memories have to be what `docs/machine.md` promises, whatever is outside
    the window untouched, and a run of the program itself exact.
    """
    config = programs[0].config
    result = simulate(
        verilog or CoreVerilog(config),
        f"{__name__}:run_mutants",
        values={"programs": len(programs), "mutants": mutants, "seed": seed},
        files=lambda folder: _save(folder, programs),
        store_bytes=_store_bytes(programs),
        progress=progress,
    )
    found = result.values
    return BrokenReport(
        mutants=found["mutants"], outcomes=Counter(found["outcomes"]), wrong=found["wrong"], cycles=result.sim_cycles
    )


def _save(folder: Path, programs: Sequence[Program]) -> None:
    for number, program in enumerate(programs):
        program.save(folder / f"{number}.nrw")


def _store_bytes(programs: Sequence[Program]) -> int:
    """A store with a page on each side of all windows at least."""
    last = _BASE + max(program.window_bytes for program in programs) + _SPARE + PAGE
    return 1 << (last - 1).bit_length()


@dataclass(frozen=True, kw_only=True)
class _State:
    """What memories hold when a run begins, but for the program's."""

    activations: NDArray[np.uint32]
    store: NDArray[np.uint32]
    window: int


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a run left: STATUS, FAULT_INDEX, CYCLES, activations and store as words of 32 bits, checksums."""

    status: int
    index: int
    cycles: int
    activations: NDArray[np.uint32]
    store: NDArray[np.uint32]
    checksums: NDArray[np.uint32]

    @property
    def fault(self) -> Fault:
        return Fault(self.status >> 8 & 0xFF)

    @property
    def outcome(self) -> tuple[Fault, int]:
        return self.fault, self.index


class _Machine:
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

    async def begin(self, state: _State, *, cleared: bool) -> None:
        """Fill the memories and start, with CLEAR in the same write where the core is not yet ``cleared``."""
        config = self._config
        if cleared:
            await self.put(Register.CONTROL, Control.CLEAR)
        await self.transport.write(
            region_address(config, Region.ACTIVATIONS), to_burst(config, Region.ACTIVATIONS, state.activations)
        )
        if config.has_backing:
            await self.transport.write_backing(0, state.store)
        await self.put(Register.CONTROL, Control.START | (0 if cleared else Control.CLEAR))

    async def found(self, state: _State, limit: int) -> _Found:
        """What the run left once it has ended; TransportError if it does not."""
        config, read = self._config, self.transport.read
        await self.transport.wait(limit)
        status, index, _, cycles = (int(word) for word in await read(Register.STATUS.offset, 4))
        if status & Status.BUSY:
            raise TransportError("the core is busy when its interrupt has come")
        store = np.zeros(0, dtype=np.uint32)
        if config.has_backing:
            store = await self.transport.read_backing(0, len(state.store))
        return _Found(
            status=status,
            index=index,
            cycles=cycles,
            activations=await read(*window_span(config, Region.ACTIVATIONS, 0, config.act_words)),
            store=store,
            checksums=await read(*window_span(config, Region.CHECKSUMS, 0, config.instructions)),
        )


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """What the ISA model says of a run: what it left, None where no core has to do anything in particular, and the
    words of activations and store that may hold anything then. ``either`` are further outcomes that are as good."""

    found: _Found | None
    said: str
    activations: NDArray[np.int64] | None = None
    store: NDArray[np.int64] | None = None
    either: frozenset[tuple[Fault, int]] = frozenset()


class _Trials:
    """Mutants of one program, on a core and a model that have both loaded it."""

    def __init__(self, core: _Machine, model: IsaTransport, program: Program, rng: np.random.Generator) -> None:
        self._core, self._program, self._config = core, program, program.config
        self._isa, self._model = model.machine, _Machine(model, program.config)
        codes = rng.integers(0, 1 << program.config.digits.base.bits, (program.config.act_words, program.config.lanes))
        store = rng.integers(0, 1 << 32, 0 if model.machine.backing is None else len(model.machine.backing.words))
        store[_BASE // 4 :][: program.window_bytes // 4] = 0
        store[_BASE // 4 :][: len(program.backing)] = program.backing
        self._state = _State(
            activations=pack_codes(codes.astype(np.uint8), program.config.code_bits),
            store=store.astype(np.uint32),
            window=program.window_bytes + _SPARE if program.config.has_backing else 0,
        )
        self._limit = 0
        self._kept: NDArray[np.uint32] | None = None

    async def first(self) -> list[str]:
        """Run the program itself; what is wrong."""
        for machine in (self._core, self._model):
            await machine.put(Register.PROGRAM_CONFIG, self._config.hash32)
            await machine.put(Register.WATCHDOG, 0)
            if self._config.has_backing:
                await machine.put(Register.WINDOW_BASE, _BASE)
                await machine.put(Register.WINDOW_LIMIT, self._state.window)
        await self._model.begin(self._state, cleared=True)
        self._right = await self._model.found(self._state, 0)
        self._computes = [index for index, opcode, _ in instructions_of(self._isa) if opcode is Opcode.COMPUTE]
        self._limit = 1000 + 4 * self._right.cycles
        for machine in (self._core, self._model):
            await machine.put(Register.WATCHDOG, self._limit)
        return await self._again(cleared=True)

    async def _again(self, *, cleared: bool) -> list[str]:
        """Run the program itself on the core; what is wrong."""
        await self._core.begin(self._state, cleared=cleared)
        found, right, wrong = await self._core.found(self._state, 4 * self._limit), self._right, []
        if (found.status, found.index) != (right.status, right.index):
            wrong.append(f"the program itself: STATUS {found.status:x}, index {found.index}")
        if not self._config.has_backing and found.cycles != right.cycles:
            wrong.append(f"the program itself takes {found.cycles} cycles, not {right.cycles}")
        for name in ("activations", "store"):
            if not np.array_equal(getattr(found, name), getattr(right, name)):
                wrong.append(f"the program itself leaves other {name}")
        if (found.checksums != right.checksums)[self._computes].any():
            wrong.append("the program itself has other checksums")
        self._kept = found.checksums
        return wrong

    async def mutant(self, changes: Sequence[Change], *, cleared: bool) -> tuple[str, list[str]]:
        """Run a mutant, then the program itself; what the ISA model said, and what is wrong."""
        await self._model.change(changes)
        expected = await self._expected()
        await self._core.change(changes)
        await self._core.begin(self._state, cleared=True)
        found = await self._core.found(self._state, 4 * self._limit)
        wrong = self._differences(expected, found)
        for machine in (self._core, self._model):
            if cleared:
                await machine.put(Register.CONTROL, Control.CLEAR)
            await machine.change(changes, back=True)
        return expected.said, wrong + await self._again(cleared=cleared)

    async def _expected(self) -> _Expected:
        isa = self._isa
        if any(
            fields["count"] * fields["lines"] > _MOST_WORDS
            for _, opcode, fields in instructions_of(isa)
            if opcode is not Opcode.COMPUTE
        ):
            return _Expected(found=None, said="not asked")
        isa.clear()
        try:
            await self._model.begin(self._state, cleared=True)
            found = await self._model.found(self._state, 0)
        except MachineError:
            return _Expected(found=None, said="undefined")
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
        return _Expected(
            found=found,
            said=said,
            activations=places.get(Region.ACTIVATIONS),
            store=places.get(WINDOW),
            either=frozenset(either),
        )

    def _loose_transfers(self, found: _Found) -> dict[Region, NDArray[np.int64] | None]:
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

    def _either(self, found: _Found) -> set[tuple[Fault, int]]:
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

    def _differences(self, expected: _Expected, found: _Found) -> list[str]:
        wrong, right = [], expected.found
        outside = np.ones(len(found.store), dtype=bool)
        outside[_BASE // 4 :][: self._state.window // 4] = False
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
            beyond[_BASE // 4 + expected.store] = False
        if beyond.any():
            wrong.append(f"word {int(np.flatnonzero(beyond)[0])} of the store")
        if right.fault is Fault.NONE and not self._config.has_backing and found.cycles != right.cycles:
            wrong.append(f"{found.cycles} cycles, not {right.cycles}")
        return wrong + self._checksum_differences(expected, found)

    def _checksum_differences(self, expected: _Expected, found: _Found) -> list[str]:
        """Of instructions that were done, and of others, whose entries stay."""
        right = expected.found
        assert right is not None
        assert self._kept is not None
        end = right.index if right.fault is not Fault.NONE else self._config.instructions
        done = [index for index, opcode, _ in instructions_of(self._isa) if opcode is Opcode.COMPUTE and index < end]
        stay = np.ones(len(found.checksums), dtype=bool)
        stay[done] = False
        if expected.activations is not None:  # what was computed may depend on what is open
            done = [] if self._config.has_backing else done
            stay[:] &= not self._config.has_backing
        wrong = [f"checksum {index}" for index in done if found.checksums[index] != right.checksums[index]]
        if (found.checksums != self._kept)[stay].any():
            wrong.append("a checksum of an instruction that was not run")
        return wrong


def _written(found: dict[int, Access], region: Region) -> NDArray[np.int64]:
    words = [access.writes[region] for access in found.values() if region in access.writes]
    return np.concatenate(words) if words else np.zeros(0, dtype=np.int64)


async def run_mutants(transport: Any, job: Job, progress: Progress) -> tuple[dict[str, Any], dict[str, Any]]:
    """The job inside the simulator."""
    values, outcomes, wrong = job.values, Counter[str](), []
    dice, done = random.Random(values["seed"]), 0
    for number in range(values["programs"]):
        program = Program.load(job.folder / f"{number}.nrw")
        model = IsaTransport(program.config, bus=BusTiming(), store_bytes=_store_bytes_of(job, values["programs"]))
        for each in (transport, model):
            await _blank(each, program.config)
            await Driver(each, program.config).load(program)
        trials = _Trials(
            _Machine(transport, program.config), model, program, np.random.default_rng(dice.getrandbits(32))
        )
        if found := await trials.first():
            wrong.append({"program": number, "changes": [], "wrong": found})
        drawn = ProgramMutants(program, dice)
        for _ in range(values["mutants"]):
            changes, cleared = drawn.draw(), dice.random() < 0.5
            try:
                said, found = await trials.mutant(changes, cleared=cleared)
            except TransportError as error:
                said, found = "hang", [str(error)]
            outcomes[said] += 1
            done += 1
            if found:
                told = [[change.region.name, change.place, change.before, change.now] for change in changes]
                wrong.append({"program": number, "said": said, "changes": told, "wrong": found})
            progress(done, values["programs"] * values["mutants"])
    return {}, {"mutants": done, "outcomes": dict(outcomes), "wrong": wrong}


async def _blank(transport: Transport, config: AcceleratorConfig) -> None:
    """Fill the program's memories with zeros."""
    for region in (Region.INSTRUCTIONS, Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS, Region.TABLES):
        if depth := region_depth(config, region):
            words = np.zeros((depth, region_beats(config, region)), dtype=np.uint32)
            await transport.write(region_address(config, region), to_burst(config, region, words))


def _store_bytes_of(job: Job, count: int) -> int:
    return _store_bytes([Program.load(job.folder / f"{number}.nrw") for number in range(count)])
