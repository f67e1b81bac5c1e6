"""IsaTransport: registers and memory windows over the ISA model, for the driver that also drives cores."""

from __future__ import annotations

import functools
import operator

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.boot import BootState
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.registers import (
    MAGIC,
    REGION_BITS,
    VERSION,
    Access,
    Control,
    Fault,
    Interrupt,
    Region,
    Register,
    Status,
    Stream,
    core_registers,
    region_beats,
    region_depth,
    region_stride,
)
from ..hw.spec.transfer_cycles import BusTiming
from ..sw.runtime.transport import Transport, TransportError
from .isa_model import IsaMachine
from .store_size import STORE_BYTES

__all__ = ["IsaTransport"]

_REGISTERS = {register.offset: register for register in Register}
_READ_ONLY = frozenset({Region.CHECKSUMS})
_EVERY_CAUSE = (1 << len(Interrupt)) - 1


class IsaTransport(Transport):
    """A core that runs at once: a run is over when the write of START returns, so nothing ever suspends.

    Parameters
    ----------
    config : AcceleratorConfig
    bus : BusTiming, optional
        Of the bus behind the core, where it has one.
    store_bytes : int
        Size of the backing store there.

    Attributes
    ----------
    machine : IsaMachine
    """

    def __init__(
        self, config: AcceleratorConfig, *, bus: BusTiming | None = None, store_bytes: int = STORE_BYTES
    ) -> None:
        self.machine = IsaMachine(config, bus=bus, store_bytes=store_bytes)
        self._refused = False
        self._stream = Stream(0)
        self._enabled, self._acknowledged = Interrupt.DONE | Interrupt.FAULT, Interrupt(0)

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words; raises as `Transport.write` does."""
        region, offset = self._locate(address, len(values))
        if region is Region.REGISTERS:
            for number, value in enumerate(values):
                self._write_register(offset + 4 * number, int(value))
        elif region in _READ_ONLY:
            raise TransportError(f"{region.name} cannot be written")
        else:
            self._write_window(region, offset, values)

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words; raises as `Transport.read` does."""
        region, offset = self._locate(address, count)
        if region is Region.REGISTERS:
            return np.array([self._read_register(offset + 4 * number) for number in range(count)], dtype=np.uint32)
        first, padded = self._window(region, offset, count, shown=True)
        start = offset // 4 - first * padded.shape[1]
        return padded.reshape(-1)[start : start + count].copy()

    async def write_backing(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write the store behind the core's bus; raises as `Transport.write_backing` does."""
        self._store(address, len(values))[:] = values

    async def read_backing(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read the store behind the core's bus; raises as `Transport.write_backing` does."""
        return self._store(address, count).copy()

    def _store(self, address: int, count: int) -> NDArray[np.uint32]:
        if self.machine.backing is None:
            raise TransportError("the core has no backing store: generate it with backing = 'axi4'")
        if address % 4 or address + 4 * count > self.machine.backing.words.nbytes:
            raise TransportError(f"{count} words from byte 0x{address:x} are not in the backing store")
        return self.machine.backing.words[address // 4 :][:count]

    async def wait(self, timeout_cycles: int) -> None:
        """Return at once: the run is over."""

    def _locate(self, address: int, count: int) -> tuple[Region, int]:
        region, offset = address >> REGION_BITS, address & ((1 << REGION_BITS) - 1)
        if address % 4 or region not in Region._value2member_map_:
            raise TransportError(f"address 0x{address:x} is not an aligned word of a region")
        config = self.machine.config
        depth = max(_REGISTERS) // 4 + 1 if region == Region.REGISTERS else region_depth(config, Region(region))
        size = depth * region_stride(config, Region(region))
        if offset + 4 * count > size:
            raise TransportError(f"{count} words from address 0x{address:x} reach beyond {Region(region).name}")
        return Region(region), offset

    def _window(
        self, region: Region, offset: int, count: int, *, shown: bool = False
    ) -> tuple[int, NDArray[np.uint32]]:
        """First word of a range, and all its words with padding beats."""
        stride = region_stride(self.machine.config, region)
        first, end = offset // stride, -(-(offset + 4 * count) // stride)
        read = self.machine.show_words if shown else self.machine.read_words
        words = read(region, first, end - first)
        padded = np.zeros((end - first, stride // 4), dtype=np.uint32)
        padded[:, : words.shape[1]] = words
        return first, padded

    def _write_window(self, region: Region, offset: int, values: NDArray[np.uint32]) -> None:
        stride = region_stride(self.machine.config, region)
        if offset % stride == 0 and 4 * len(values) % stride == 0:  # whole words
            first, padded = offset // stride, values.reshape(-1, stride // 4)
        else:
            first, padded = self._window(region, offset, len(values))
            start = offset // 4 - first * padded.shape[1]
            padded.reshape(-1)[start : start + len(values)] = values
        self.machine.write_words(region, first, padded[:, : region_beats(self.machine.config, region)])

    def _read_register(self, offset: int) -> int:
        machine = self.machine
        if _REGISTERS[offset] not in core_registers(machine.config):
            return 0
        status = (Status.DONE if machine.done else 0) | (Status.FAULT if machine.fault is not Fault.NONE else 0)
        status |= Status.REFUSED if self._refused else 0
        return {
            Register.MAGIC: MAGIC,
            Register.VERSION: VERSION,
            Register.CONFIG: machine.config.hash32,
            Register.PROGRAM_CONFIG: machine.program_config,
            Register.CONTROL: 0,
            Register.STATUS: status | machine.fault << 8,
            Register.FAULT_INDEX: machine.fault_index,
            Register.WATCHDOG: machine.watchdog,
            Register.CYCLES: machine.counts.cycles,
            Register.BUSY: machine.counts.busy,
            Register.STALL_DRAIN: machine.counts.stall_drain,
            Register.STALL_WALK: machine.counts.stall_walk,
            Register.STALL_LOAD: machine.counts.stall_load,
            Register.STALL_STORE: machine.counts.stall_store,
            Register.STALL_TOKEN: machine.counts.stall_token,
            Register.WINDOW_BASE: machine.backing.base if machine.backing else 0,
            Register.WINDOW_LIMIT: machine.backing.limit if machine.backing else 0,
            Register.FRAME_BYTES: machine.config.frame_bytes,
            Register.STREAM: self._stream | Stream.PRESENT,
            Register.BOOT: BootState.EMPTY,
            Register.ENTRY: machine.entry,
            Register.DAMAGE: machine.flips.damage,
            Register.IRQ_ENABLE: self._enabled,
            Register.IRQ_STATUS: self._causes() & ~self._acknowledged,
        }[_REGISTERS[offset]]

    def _causes(self) -> Interrupt:
        """Causes of an interrupt, whether acknowledged or not."""
        machine = self.machine
        stand = {
            Interrupt.DONE: machine.done,
            Interrupt.FAULT: machine.fault is not Fault.NONE,
            Interrupt.REFUSED: self._refused,
        }
        return functools.reduce(operator.or_, (cause for cause, stands in stand.items() if stands), Interrupt(0))

    def _write_register(self, offset: int, value: int) -> None:
        machine, register = self.machine, _REGISTERS[offset]
        if register.access is not Access.WRITE:
            raise TransportError(f"register {register.name} cannot be written")
        if register is Register.PROGRAM_CONFIG:
            machine.program_config = value
        elif register is Register.WATCHDOG:
            machine.watchdog = value
        elif register is Register.WINDOW_BASE or register is Register.WINDOW_LIMIT:
            if machine.backing is not None:
                machine.backing.set_window(**{"base" if register is Register.WINDOW_BASE else "limit": value})
        elif register is Register.ENTRY:
            if machine.config.entry and value < machine.config.instructions:
                machine.entry = value
            else:
                self._refused |= bool(machine.config.entry)
        elif register is Register.STREAM:
            self._stream = Stream(value) & (Stream.ENABLE | Stream.COUNTED)
        elif register is Register.IRQ_ENABLE:
            self._enabled = Interrupt(value & _EVERY_CAUSE)
        elif register is Register.IRQ_STATUS:
            self._acknowledged |= Interrupt(value & _EVERY_CAUSE)
        else:
            if value & Control.CLEAR:
                machine.clear()
                self._refused = False
            self._acknowledged &= self._causes()
            feeds = bool(value & Control.FEED and machine.config.frame_bytes)
            if value & Control.START or feeds:
                self._refused = machine.fault is not Fault.NONE
                if not self._refused:
                    self._acknowledged = Interrupt(0)
                    if feeds:
                        machine.feed()
            if value & Control.START:
                machine.run()
        self._acknowledged &= self._causes()
