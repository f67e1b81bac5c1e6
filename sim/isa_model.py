"""IsaMachine: the whole core as a model that executes encoded programs from its memories and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.answer import ANSWER, answer_of
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.cycles import ComputeTiming, CycleCount, RunClock
from ..hw.spec.early import safe_steps
from ..hw.spec.feed import feed_words, laid_out
from ..hw.spec.isa import INSTRUCTION_WORDS, IsaError, Mode, Opcode, decode_instruction
from ..hw.spec.protection import StoredBit
from ..hw.spec.registers import Fault, Region, region_beats, region_depth
from ..hw.spec.schedule import DeadlockError, Schedule
from ..hw.spec.transfer_cycles import BusTiming, transfer_cycles
from .isa_backing import BackingStore, chip_words
from .isa_flips import Flips
from .isa_mac import MacPlan, plan_mac, weight_words
from .isa_max import MaxPlan, plan_max
from .isa_memory import ActivationMemory
from .isa_records import MachineError, check_reach, fault_of, fetch_blocks
from .store_size import STORE_BYTES

__all__ = ["IsaMachine"]

_PROGRAM = (Region.INSTRUCTIONS, Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS, Region.TABLES)
_FEEDER = (Region.FRAME, Region.CODES, Region.FEED, Region.ANSWER)


class IsaMachine:
    """Memories, and a run over them as `docs/machine.md` says.

    Parameters
    ----------
    config : AcceleratorConfig
    bus : BusTiming, optional
        Of the bus to the backing store, where there is one.
    store_bytes : int
        Size of that.

    Attributes
    ----------
    backing : BackingStore or None
        What is behind the core's bus.
    program_config : int
        What the host wrote to PROGRAM_CONFIG.
    entry : int
        Instruction at which a run begins.
    watchdog : int
        Cycles after which a run stops with a fault; 0: never.
    fault, fault_index : Fault, int
        Why and at which instruction the last run stopped; sticky until :meth:`clear`.
    done : bool
        The last run reached END.
    counts : CycleCount
        Of the last run to END (`hw/spec/cycles.py`).
    trace : list of CycleCount
        The same at the moment at which each instruction was left behind: a COMPUTE written, a LOAD or STORE handed out.
    flips : Flips
        Bits that flipped.
    """

    def __init__(
        self, config: AcceleratorConfig, *, bus: BusTiming | None = None, store_bytes: int = STORE_BYTES
    ) -> None:
        self.config = config
        self.backing = BackingStore(config, store_bytes) if config.has_backing else None
        self._bus = bus or BusTiming()
        self.program_config = 0
        self.entry = 0
        self.watchdog = 0
        self.fault, self.fault_index, self.done = Fault.NONE, 0, False
        self.counts = CycleCount()
        self.trace: list[CycleCount] = []
        self._activations = ActivationMemory(config)
        self._memories = {
            region: np.zeros((region_depth(config, region), region_beats(config, region)), dtype=np.uint32)
            for region in (*_PROGRAM, *_FEEDER, Region.CHECKSUMS)
        }
        self._other_frame = np.zeros_like(self._memories[Region.FRAME])
        self._plans: dict[tuple[int, bytes], tuple[MacPlan | MaxPlan, ComputeTiming]] = {}
        self._before: tuple[int, Mapping[str, int], ComputeTiming] | None = None  # the last COMPUTE of the run
        self._early_checked: set[tuple[int, int]] = set()
        self._loaded = b""
        self.flips = Flips(config, self._flip_shown)
        self._later: list[tuple[int, Region, int, StoredBit]] = []

    def flip(self, region: Region, word: int, bit: StoredBit, *, before: int | None = None) -> None:
        """Flip a stored bit of a core with check bits (`hw/spec/protection.py`): now, or when a later run fetches
        instruction ``before``, where one flip strikes a run.

        Raises
        ------
        ValueError
            If that memory has no check bits.
        """
        if before is None:
            self.flips.flip(region, word, bit)
        else:
            self._later.append((before, region, word, bit))

    def _flip_shown(self, region: Region, word: int, bits: int) -> None:
        if region is Region.ACTIVATIONS:
            self._activations.flip_bits(word, bits)
            return
        for beat in range(self._memories[region].shape[1]):
            self._memories[region][word, beat] ^= np.uint32(bits >> 32 * beat & 0xFFFFFFFF)
        self._plans.clear()

    def show_words(self, region: Region, first: int, count: int) -> NDArray[np.uint32]:
        """What the host reads, as :meth:`read_words`; a damaged word is a fault."""
        if region is Region.ACTIVATIONS:
            damaged = self.flips.damaged(region, range(first, first + count))
            if damaged and self.fault is Fault.NONE:
                self.fault, self.fault_index, self.done = Fault.MEMORY_ERROR, 0, False
        return self.read_words(region, first, count)

    def read_words(self, region: Region, first: int, count: int) -> NDArray[np.uint32]:
        """Words of a memory, of shape (count, region_beats)."""
        if region is Region.ACTIVATIONS:
            return self._activations.read_beats(np.arange(first, first + count))
        return self._memories[region][first : first + count].copy()

    def write_words(self, region: Region, first: int, words: NDArray[np.uint32]) -> None:
        """Write words of a memory from word ``first`` on; ``words`` has shape (n, region_beats)."""
        self.flips.written(region, range(first, first + len(words)))
        if region is Region.ACTIVATIONS:
            self._activations.write_beats(np.arange(first, first + len(words)), words)
            return
        self._memories[region][first : first + len(words)] = words
        if region is Region.INSTRUCTIONS:
            changed = range(first // INSTRUCTION_WORDS, (first + len(words) - 1) // INSTRUCTION_WORDS + 1)
            self._early_checked.clear()
            self._plans = {key: plan for key, plan in self._plans.items() if key[0] not in changed}
        elif region not in _FEEDER:
            self._plans.clear()
            self._early_checked.clear()

    def feed(self) -> None:
        """Lay the frame out as the network's input (`hw/spec/feed.py`); what is written from now on is another one."""
        frame = self._memories[Region.FRAME].astype("<u4").view(np.uint8).reshape(-1)
        self._memories[Region.FRAME], self._other_frame = self._other_frame, self._memories[Region.FRAME]
        codes = self._memories[Region.CODES][:, 0]
        address, words = laid_out(self._memories[Region.FEED], codes, frame, self.config)
        self.flips.written(Region.ACTIVATIONS, address)
        self._activations.write_words(address, words)

    def serve(self, frame: bytes) -> bytes | None:
        """Run a frame that a stream brings; the answer (`hw/spec/answer.py`), None where it has another length or the
        run stops with a fault."""
        words = self._memories[Region.ANSWER][0]
        if len(frame) != ANSWER.decode(words.tolist())["frame"] + 1:
            return None
        memory = self._memories[Region.FRAME].reshape(-1)
        memory[: -(-len(frame) // 4)] = feed_words(np.frombuffer(frame, dtype=np.uint8))
        self.clear()
        self.feed()
        self.run()
        if self.fault is not Fault.NONE:
            return None
        return answer_of(words, self._activations.codes[: self.config.act_words], self.config)

    def clear(self) -> None:
        """Return to idle from a fault."""
        self.flips.damage = 0
        self.fault, self.fault_index = Fault.NONE, 0

    def run(self) -> None:
        """Run the instructions from index ``entry`` to END or to a fault.

        Raises
        ------
        MachineError
            If the program breaks a rule that no core detects.
        """
        if self.fault is not Fault.NONE:
            return
        self.done, self.counts, self.trace = False, CycleCount(), []
        self.flips.damage = 0
        self._before = None
        if self.program_config != self.config.hash32:
            self.fault, self.fault_index = Fault.CONFIG_MISMATCH, self.entry
            return
        clock, schedule = RunClock(self.config), Schedule(self._move)
        checksums = self._memories[Region.CHECKSUMS]
        for index in range(self.entry, self.config.instructions):
            before = checksums[index].copy()
            try:
                opcode, fault = self._step(index, clock, schedule)
            except _TransferError as error:
                self.fault, self.fault_index = error.fault, error.index
                return
            if fault is Fault.NONE and self.watchdog and self.counts.cycles > self.watchdog:
                fault = Fault.WATCHDOG
                checksums[index] = before  # it was not done
            if fault is not Fault.NONE:
                self.fault, self.fault_index = fault, index
                return
            self.trace.append(self.counts)
            if opcode is Opcode.END:
                self.done = True
                return
        raise MachineError("the program has no END")

    def _step(self, index: int, clock: RunClock, schedule: Schedule) -> tuple[Opcode, Fault]:
        """Fetch and execute one instruction; ``counts`` are then those up to where the sequencer leaves it behind."""
        strikes = next((later for later in self._later if later[0] == index), None)
        if strikes is not None:
            self._later.remove(strikes)
            self.flips.flip(*strikes[1:])
        if self.flips.damaged(Region.INSTRUCTIONS, range(index * INSTRUCTION_WORDS, (index + 1) * INSTRUCTION_WORDS)):
            return Opcode.END, Fault.MEMORY_ERROR
        words = self._memories[Region.INSTRUCTIONS][index * INSTRUCTION_WORDS :][:INSTRUCTION_WORDS, 0]
        try:
            opcode, fields = decode_instruction(words.tolist())
        except IsaError:
            return Opcode.END, Fault.ILLEGAL_INSTRUCTION
        if (fault := fault_of(self.config, opcode, fields)) is not Fault.NONE:
            return opcode, fault
        decided = clock.decided(opcode)
        counts = CycleCount()
        try:
            if opcode is Opcode.COMPUTE:
                if self.flips.records_damaged(fields, self._memories):
                    return opcode, Fault.MEMORY_ERROR
                planned = self._plan(index, fields)
                if isinstance(planned, Fault):
                    # the core comes upon the block once the COMPUTE's tokens are there
                    alone = {**fields, "post_prev": 0, "post_next": 0}
                    late = 0 < self.watchdog < schedule.compute(index, alone, decided)
                    return opcode, Fault.WATCHDOG if late else planned
                plan, timing = planned
                self._check_early(index, fields, timing)
                if self.flips and self._reads_damaged(fields, plan):
                    return opcode, Fault.MEMORY_ERROR
                self._memories[Region.CHECKSUMS][index] = plan.run(self._activations)
                self._note_written(plan)
                counts = clock.compute(timing, schedule.compute(index, fields, decided))
                schedule.computed(index, fields, clock.written)
                moment = clock.written
            elif opcode is Opcode.END:
                moment = schedule.end(decided)
            else:
                cycles = transfer_cycles(self.config, opcode, fields, self._bus)
                moment = schedule.transfer(opcode, index, fields, cycles, decided, clock.written + 1)
                clock.hand_out(moment)
        except DeadlockError as error:
            if not self.watchdog:
                raise MachineError(f"the run never ends: {error}") from error
            return opcode, Fault.WATCHDOG
        self.counts = replace(
            self.counts + counts,
            cycles=max(self.counts.cycles, moment + 1),
            stall_load=schedule.stall_load,
            stall_store=schedule.stall_store,
            stall_token=schedule.stall_token,
        )
        return opcode, Fault.NONE

    def _plan(self, index: int, fields: Mapping[str, int]) -> tuple[MacPlan | MaxPlan, ComputeTiming] | Fault:
        """Plan and cost of a COMPUTE; or why it does not come to its end: the core refuses one of its blocks, or its
        steps take longer than the watchdog allows."""
        key = index, self._loaded
        if key not in self._plans:
            blocks = fetch_blocks(fields, self._memories[Region.BLOCKS], self._memories[Region.TAPS])
            steps = [block.steps for block in blocks]
            if 0 in steps:
                late = 0 < self.watchdog < sum(steps[: steps.index(0)])
                return Fault.WATCHDOG if late else Fault.ILLEGAL_INSTRUCTION
            check_reach(self.config, fields)
            timing = ComputeTiming(self.config, fields, steps)
            if 0 < self.watchdog < timing.busy:
                return Fault.WATCHDOG
            pad_address = self._activations.pad_address
            if fields["mode"] == Mode.MAX:
                plan = plan_max(self.config, fields, blocks, pad_address)
            else:
                plan = plan_mac(
                    self.config,
                    fields,
                    blocks,
                    self._memories[Region.WEIGHTS],
                    self._memories[Region.PARAMS],
                    self._memories[Region.TABLES],
                    pad_address,
                )
            self._plans[key] = plan, timing
        return self._plans[key]

    def _check_early(self, index: int, fields: Mapping[str, int], timing: ComputeTiming) -> None:
        """See that what a COMPUTE's early steps read is written by then.

        Raises
        ------
        MachineError
            If it is not.
        """
        before, self._before = self._before, (index, fields, timing)
        if not timing.early or before is None or (before[0], index) in self._early_checked:
            return
        blocks = fetch_blocks(fields, self._memories[Region.BLOCKS], self._memories[Region.TAPS])
        safe = safe_steps(self.config, before[1], before[2].tile, fields, blocks)
        if timing.early > safe:
            raise MachineError(
                f"instruction {index} lets {timing.early} steps come early, but only {safe} read nothing"
                " that the one before may still write"
            )
        self._early_checked.add((before[0], index))

    def _reads_damaged(self, fields: Mapping[str, int], plan: MacPlan | MaxPlan) -> bool:
        """Whether a COMPUTE comes upon a damaged word, beside blocks and taps."""
        flips = self.flips
        found = flips.damaged(Region.ACTIVATIONS, np.unique(np.concatenate([words.ravel() for words in plan.read])))
        if isinstance(plan, MaxPlan):
            return found
        blocks = fetch_blocks(fields, self._memories[Region.BLOCKS], self._memories[Region.TAPS])
        first, count = fields["param_base"], fields["column_groups"] * self.config.tile_granules
        found |= flips.damaged(Region.WEIGHTS, weight_words(self.config, fields, blocks))
        found |= flips.damaged(Region.PARAMS, range(first, first + count))
        return found or flips.damaged(Region.TABLES, plan.looked_up(self._activations))

    def _note_written(self, plan: MacPlan | MaxPlan) -> None:
        if not self.flips:
            return
        if isinstance(plan, MaxPlan):
            self.flips.written(Region.ACTIVATIONS, plan.address.ravel())
        else:
            words, granules = np.divmod(plan.places, self.config.granules)
            self.flips.written(Region.ACTIVATIONS, words, granules)

    def _move(self, opcode: Opcode, index: int, fields: Mapping[str, int]) -> None:
        """Execute a LOAD or STORE."""
        backing = self.backing
        assert backing is not None, "fault_of refuses transfers without a backing store"
        if (fault := backing.fault_of(fields)) is not Fault.NONE:
            raise _TransferError(fault, index)
        words = chip_words(self.config, fields)
        if opcode is Opcode.LOAD:
            self.flips.written(Region(fields["memory"]), words)
        if opcode is Opcode.STORE:
            if self.flips.damaged(Region.ACTIVATIONS, words):
                raise _TransferError(Fault.MEMORY_ERROR, index)
            backing.write(fields, self._activations.read_beats(words))
        elif fields["memory"] == Region.ACTIVATIONS:
            self._activations.write_beats(words, backing.read(fields))
        else:
            memory = self._memories[Region(fields["memory"])]
            memory[words] = backing.read(fields)
            # Plans hold what they read of these memories.
            contents = hashlib.blake2b(self._memories[Region.WEIGHTS].tobytes())
            contents.update(self._memories[Region.PARAMS].tobytes())
            self._loaded = contents.digest()


class _TransferError(Exception):
    """A transfer that the core stops at."""

    def __init__(self, fault: Fault, index: int) -> None:
        super().__init__(fault.name)
        self.fault, self.index = fault, index
