"""fault_error: a core's fault as an error that says where it arose and what to do."""

from __future__ import annotations

from ...hw.spec.registers import Fault, Region
from ..errors import DamagedMemory, ProgramError, ProgramMismatch
from ..program import Program

__all__ = ["damaged_regions", "fault_error"]

_DAMAGED = 0xFFFF
"""Bits of `Register.DAMAGE` for words that nothing corrected."""

_CURES = {
    Fault.ILLEGAL_INSTRUCTION: "the core cannot execute it: compile the model again",
    Fault.CERTIFICATE: "its sums need more accumulator bits than the core has: compile for a larger acc_bits",
    Fault.CONFIG_MISMATCH: "it was compiled for another configuration",
    Fault.WATCHDOG: "it ran far longer than its program should take",
    Fault.HOST_ACCESS: "the host touched a memory while the core was busy",
    Fault.WINDOW: "it reaches beyond the window on the backing store: compile the model again",
    Fault.MEMORY_ERROR: "a bit has flipped there: load the program again",
    Fault.BUS: "the backing store answered with an error: check the window's base and the memory behind it",
}


def fault_error(program: Program, code: int, index: int, damage: int = 0) -> ProgramError:
    """The error of a run that stopped with a fault's code at an instruction, which has the number of its place in the
    memory; a ProgramMismatch where the program is for another configuration, DamagedMemory where a bit of a memory had
    flipped, of one that `Register.DAMAGE` names."""
    if code not in Fault._value2member_map_:
        return ProgramError(f"core stopped: unknown fault {code} at instruction {index}")
    fault = Fault(code)
    own = index - program.entry
    layer = program.layers[own] if 0 <= own < len(program.layers) else ""
    where = f"at instruction {index}" + (f" (layer {layer})" if layer else "")
    kinds = {Fault.CONFIG_MISMATCH: ProgramMismatch, Fault.MEMORY_ERROR: DamagedMemory}
    kind = kinds.get(fault, ProgramError)
    cure = _CURES.get(fault, "reset the core")
    if damage & _DAMAGED:
        cure = f"{damaged_regions(damage)}: {cure}"
    return kind(f"core stopped: {fault.name} {where}: {cure}")


def damaged_regions(damage: int) -> str:
    """Memories in which `Register.DAMAGE` says that a damaged word was read."""
    return " and ".join(region.name for region in Region if damage >> region & 1)
