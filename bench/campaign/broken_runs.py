"""break_programs: mutants of programs on a simulated core and on the ISA model, each followed by the program itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.registers import (
    Control,
    Region,
    Register,
    region_address,
    region_beats,
    region_depth,
)
from narrows.hw.spec.transfer import PAGE
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.hw.spec.words import pack_codes
from narrows.sim.cosim.core_source import WrittenOnDemand
from narrows.sim.cosim.inference import Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError
from narrows.sw.runtime.windows import to_burst

from .program_accesses import instructions_of
from .program_mutants import Change, ProgramMutants
from .run_expected import RunOracle
from .run_host import WINDOW_BASE, WINDOW_SPARE, RunHost, RunState

__all__ = ["BrokenReport", "break_programs"]


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
    done = simulate(
        verilog or CoreVerilog(config),
        lambda transport: _run_mutants(transport, programs, mutants, seed, progress or (lambda *_: None)),
        store_bytes=_store_bytes(programs),
    )
    done.result.cycles = done.cycles
    return done.result


def _store_bytes(programs: Sequence[Program]) -> int:
    """A store with a page on each side of all windows at least."""
    last = WINDOW_BASE + max(program.window_bytes for program in programs) + WINDOW_SPARE + PAGE
    return 1 << (last - 1).bit_length()


class _Trials:
    """Mutants of one program, on a core and a model that have both loaded it."""

    def __init__(self, core: RunHost, model: IsaTransport, program: Program, rng: np.random.Generator) -> None:
        self._core, self._program, self._config = core, program, program.config
        self._transport, self._isa, self._model = model, model.machine, RunHost(model, program.config)
        codes = rng.integers(0, 1 << program.config.digits.base.bits, (program.config.act_words, program.config.lanes))
        store = rng.integers(0, 1 << 32, 0 if model.machine.backing is None else len(model.machine.backing.words))
        store[WINDOW_BASE // 4 :][: program.window_bytes // 4] = 0
        store[WINDOW_BASE // 4 :][: len(program.backing)] = program.backing
        loaded = (Region.WEIGHTS, Region.PARAMS) if program.config.has_backing else ()
        memories = {region: self._isa.read_words(region, 0, region_depth(program.config, region)) for region in loaded}
        memories[Region.ACTIVATIONS] = pack_codes(codes.astype(np.uint8), program.config.code_bits)
        self._state = RunState(
            memories=memories,
            store=store.astype(np.uint32),
            window=program.window_bytes + WINDOW_SPARE if program.config.has_backing else 0,
        )
        self._limit = 0
        self._kept = np.zeros(0, dtype=np.uint32)

    async def first(self) -> list[str]:
        """Run the program itself; what is wrong."""
        for machine in (self._core, self._model):
            await machine.put(Register.PROGRAM_CONFIG, self._config.hash32)
            await machine.put(Register.WATCHDOG, 0)
            if self._config.has_backing:
                await machine.put(Register.WINDOW_BASE, WINDOW_BASE)
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
        oracle = RunOracle(self._transport, self._state, self._limit)
        expected = await oracle.expected()
        await self._core.change(changes)
        await self._core.begin(self._state, cleared=True)
        found = await self._core.found(self._state, 4 * self._limit)
        wrong = oracle.differences(expected, found, self._kept)
        for machine in (self._core, self._model):
            if cleared:
                await machine.put(Register.CONTROL, Control.CLEAR)
            await machine.change(changes, back=True)
        return expected.said, wrong + await self._again(cleared=cleared)


async def _run_mutants(
    transport: Transport, programs: Sequence[Program], mutants: int, seed: int, progress: Progress
) -> BrokenReport:
    report, dice = BrokenReport(), random.Random(seed)
    for number, program in enumerate(programs):
        model = IsaTransport(program.config, bus=BusTiming(), store_bytes=_store_bytes(programs))
        for each in (transport, model):
            await _blank(each, program.config)
            await Driver(each, program.config).load(program)
        trials = _Trials(
            RunHost(transport, program.config), model, program, np.random.default_rng(dice.getrandbits(32))
        )
        if found := await trials.first():
            report.wrong.append({"program": number, "changes": [], "wrong": found})
        drawn = ProgramMutants(program, dice)
        for _ in range(mutants):
            changes, cleared = drawn.draw(), dice.random() < 0.5
            try:
                said, found = await trials.mutant(changes, cleared=cleared)
            except TransportError as error:
                said, found = "hang", [str(error)]
            report.outcomes[said] += 1
            report.mutants += 1
            if found:
                told = [[change.region.name, change.place, change.before, change.now] for change in changes]
                report.wrong.append({"program": number, "said": said, "changes": told, "wrong": found})
            progress(report.mutants, len(programs) * mutants)
    return report


async def _blank(transport: Transport, config: AcceleratorConfig) -> None:
    """Fill the program's memories with zeros."""
    for region in (Region.INSTRUCTIONS, Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS, Region.TABLES):
        if depth := region_depth(config, region):
            words = np.zeros((depth, region_beats(config, region)), dtype=np.uint32)
            await transport.write(region_address(config, region), to_burst(config, region, words))
