"""IsaMachine: the whole core as a model that executes encoded programs from its memories and nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.cycles import FETCH_CYCLES, RUN_OVERHEAD, CycleCount, count_cycles
from ..hw.spec.isa import INSTRUCTION_WORDS, IsaError, Mode, Opcode, decode_instruction
from ..hw.spec.registers import Fault, Region, region_beats, region_depth
from .isa_mac import MacPlan, plan_mac
from .isa_max import MaxPlan, plan_max
from .isa_memory import ActivationMemory
from .isa_records import MachineError, fault_of, fetch_blocks

__all__ = ["IsaMachine"]

_PROGRAM = (Region.INSTRUCTIONS, Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS)


class IsaMachine:
    """Memories, and a run over them as `docs/machine.md` says.

    Parameters
    ----------
    config : AcceleratorConfig

    Attributes
    ----------
    program_config : int
        What the host wrote to PROGRAM_CONFIG.
    watchdog : int
        Cycles after which a run stops with a fault; 0: never.
    fault, fault_index : Fault, int
        Why and at which instruction the last run stopped; sticky until :meth:`clear`.
    done : bool
        The last run reached END.
    counts : CycleCount
        Of the last run to END (`hw/spec/cycles.py`).
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.program_config = 0
        self.watchdog = 0
        self.fault, self.fault_index, self.done = Fault.NONE, 0, False
        self.counts = CycleCount()
        self._activations = ActivationMemory(config)
        self._memories = {
            region: np.zeros((region_depth(config, region), region_beats(config, region)), dtype=np.uint32)
            for region in (*_PROGRAM, Region.CHECKSUMS)
        }
        self._plans: dict[int, tuple[MacPlan | MaxPlan, CycleCount]] = {}

    def read_words(self, region: Region, first: int, count: int) -> NDArray[np.uint32]:
        """Words of a memory, of shape (count, region_beats)."""
        if region is Region.ACTIVATIONS:
            return self._activations.read_beats(first, count)
        return self._memories[region][first : first + count].copy()

    def write_words(self, region: Region, first: int, words: NDArray[np.uint32]) -> None:
        """Write words of a memory from word ``first`` on; ``words`` has shape (n, region_beats)."""
        if region is Region.ACTIVATIONS:
            self._activations.write_beats(first, words)
            return
        self._memories[region][first : first + len(words)] = words
        if region is Region.INSTRUCTIONS:
            for index in range(first // INSTRUCTION_WORDS, (first + len(words) - 1) // INSTRUCTION_WORDS + 1):
                self._plans.pop(index, None)
        else:
            self._plans.clear()

    def clear(self) -> None:
        """Return to idle from a fault."""
        self.fault, self.fault_index = Fault.NONE, 0

    def run(self) -> None:
        """Run the instructions from index 0 to END or to a fault.

        Raises
        ------
        MachineError
            If the program breaks a rule that no core detects.
        """
        if self.fault is not Fault.NONE:
            return
        self.done, self.counts = False, CycleCount(cycles=RUN_OVERHEAD - FETCH_CYCLES)
        if self.program_config != self.config.hash32:
            self.fault = Fault.CONFIG_MISMATCH
            return
        for index in range(self.config.instructions):
            opcode, fault = self._step(index)
            if opcode is Opcode.END:
                self.counts += CycleCount(cycles=FETCH_CYCLES)
            if fault is Fault.NONE and self.watchdog and self.counts.cycles > self.watchdog:
                fault = Fault.WATCHDOG
            if fault is not Fault.NONE:
                self.fault, self.fault_index = fault, index
                return
            if opcode is Opcode.END:
                self.done = True
                return
        raise MachineError("the program has no END")

    def _step(self, index: int) -> tuple[Opcode, Fault]:
        if index not in self._plans:
            words = self._memories[Region.INSTRUCTIONS][index * INSTRUCTION_WORDS :][:INSTRUCTION_WORDS, 0]
            try:
                opcode, fields = decode_instruction(words.tolist())
            except IsaError:
                return Opcode.END, Fault.ILLEGAL_INSTRUCTION
            fault = fault_of(self.config, opcode, fields)
            if opcode is not Opcode.COMPUTE or fault is not Fault.NONE:
                return opcode, fault
            blocks = fetch_blocks(fields, self._memories[Region.BLOCKS], self._memories[Region.TAPS])
            if any(not block.steps for block in blocks):
                return opcode, Fault.ILLEGAL_INSTRUCTION
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
                    pad_address,
                )
            self._plans[index] = plan, count_cycles(self.config, fields, [block.steps for block in blocks])
        plan, counts = self._plans[index]
        self._memories[Region.CHECKSUMS][index] = plan.run(self._activations)
        self.counts += counts
        return Opcode.COMPUTE, Fault.NONE
