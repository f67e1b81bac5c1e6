"""DecoderSimulation: a core's sequencer alone, which is shown instructions, and what it makes of each."""

from __future__ import annotations

import enum
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from narrows.hw.cells.interfaces import HOST_WRITE
from narrows.hw.control.sequencer import Sequencer
from narrows.hw.memory.handout_gate import HandoutGate
from narrows.hw.memory.program_memory import ProgramMemory
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import IsaError, Opcode, decode_instruction
from narrows.hw.spec.registers import Fault, Region
from narrows.hw.verilog import convert
from narrows.sim.cosim.errors import SimulationError
from narrows.sim.cosim.simulators import bench_command, build_simulator
from narrows.sim.isa_records import fault_of
from narrows.sw.processes import run_process

__all__ = ["DecoderSimulation", "Outcome", "Verdict", "expected_outcome"]

_TOP = "decoder"


class Verdict(enum.IntEnum):
    """What the sequencer does with an instruction."""

    ENDS = 1
    FAULTS = 2
    COMPUTES = 3
    LOADS = 4
    STORES = 5
    HANGS = 6


class Outcome(NamedTuple):
    """A verdict, and fault and index where it is FAULTS."""

    verdict: Verdict
    fault: Fault = Fault.NONE
    index: int = 0


_STARTS = {
    Opcode.END: Verdict.ENDS,
    Opcode.COMPUTE: Verdict.COMPUTES,
    Opcode.LOAD: Verdict.LOADS,
    Opcode.STORE: Verdict.STORES,
}


def expected_outcome(config: AcceleratorConfig, index: int, words: Sequence[int]) -> Outcome:
    """What the ISA model makes of an instruction at an index."""
    try:
        opcode, fields = decode_instruction(words)
    except IsaError:
        return Outcome(Verdict.FAULTS, Fault.ILLEGAL_INSTRUCTION, index)
    fault = fault_of(config, opcode, fields)
    return Outcome(_STARTS[opcode]) if fault is Fault.NONE else Outcome(Verdict.FAULTS, fault, index)


class _Decoder(wiring.Component):
    """Sequencer, instruction memory and handout gate of a core, between units that take whatever they are given: what
    `decoder.v` drives and watches."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "host": In(HOST_WRITE),
                "entry": In(16),
                "start": In(1),
                "clear": In(1),
                **dict.fromkeys(("computes", "loads", "stores", "busy", "done", "faulted"), Out(1)),
                "fault": Out(8),
                "fault_index": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Tokens are always there, and units have nothing to do."""
        m, config = Module(), self._config
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.instructions = memory = ProgramMemory(config, Region.INSTRUCTIONS)
        connect(m, flipped(self.host), memory.host)
        connect(m, sequencer.instructions, memory.read)
        control: Any = sequencer.control
        m.d.comb += [
            control.start.eq(self.start),
            control.starting.eq(self.start),
            control.clear.eq(self.clear),
            control.config_matches.eq(1),
            self.computes.eq(sequencer.unit.run),
            self.busy.eq(control.busy),
            self.done.eq(control.done),
            self.faulted.eq(control.faulted),
            self.fault.eq(control.fault),
            self.fault_index.eq(control.fault_index),
        ]
        if config.entry:
            m.d.comb += control.entry.eq(self.entry)
        if config.has_backing:
            m.submodules.gate = gate = HandoutGate(config)
            connect(m, sequencer.handout, gate.handout)
            m.d.comb += [
                gate.tokens.has.as_value().eq(~0),
                gate.loads.ready.eq(1),
                gate.stores.ready.eq(1),
                gate.loader.idle.eq(1),
                gate.storer.idle.eq(1),
                self.loads.eq(gate.loads.valid),
                self.stores.eq(gate.stores.valid),
            ]
        return m


class DecoderSimulation:
    """Built when it is made, in a folder that goes with :meth:`close`.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._scratch = tempfile.TemporaryDirectory(prefix="narrows-decoder-")
        self._folder = Path(self._scratch.name)
        source = self._folder / "source.v"
        bench = Path(__file__).with_name("decoder.v").read_text(encoding="utf-8")
        source.write_text(bench + convert(_Decoder(config), "narrows_decoder"), encoding="utf-8")
        build_simulator(source, _TOP, simulator="verilator", waves=False)

    def __enter__(self) -> DecoderSimulation:
        return self

    def __exit__(self, *_error: object) -> None:
        self._scratch.cleanup()

    def outcomes(self, places: Sequence[int], instructions: Sequence[Sequence[int]]) -> list[Outcome]:
        """What becomes of instructions, each at the index beside it: runs begin there, or at 0 in cores without
        `AcceleratorConfig.entry`."""
        words = np.column_stack([np.array(places, dtype=np.uint32), np.array(instructions, dtype=np.uint32)])
        (self._folder / "instructions.bin").write_bytes(words.astype(">u4").tobytes())
        command = bench_command(self._folder, simulator="verilator", waves=False, top=_TOP)
        ended = run_process(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        if ended.returncode != 0:
            raise SimulationError(f"the decoder's simulation ended with code {ended.returncode}")
        lines = (self._folder / "verdicts.hex").read_text(encoding="ascii").split()
        return [Outcome(Verdict(int(line[:2], 16)), Fault(int(line[2:4], 16)), int(line[4:], 16)) for line in lines]
