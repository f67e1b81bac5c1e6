"""read_counters: what a core counted in its last run."""

from __future__ import annotations

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.cycles import CycleCount
from ...hw.spec.registers import Register, core_registers
from .transport import Transport

__all__ = ["read_counters"]

_COUNTERS = {
    Register.CYCLES: "cycles",
    Register.BUSY: "busy",
    Register.STALL_DRAIN: "stall_drain",
    Register.STALL_WALK: "stall_walk",
    Register.STALL_LOAD: "stall_load",
    Register.STALL_STORE: "stall_store",
    Register.STALL_TOKEN: "stall_token",
}


async def read_counters(transport: Transport, config: AcceleratorConfig) -> CycleCount:
    """Counters of the run that has ended, in one read; 0 where a core of this configuration does not count."""
    there = [register for register in _COUNTERS if register in core_registers(config)]
    words = await transport.read(there[0].offset, len(there))
    return CycleCount(**{_COUNTERS[register]: int(word) for register, word in zip(there, words, strict=True)})
