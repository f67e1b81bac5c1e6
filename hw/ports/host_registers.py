"""HostRegisters: identification, control, status and counters behind the register map."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.registers import MAGIC, REGION_BITS, VERSION, Control, Fault, Register, core_registers
from ..spec.transfer import PAGE

__all__ = ["HostRegisters"]


_BACKING_PORTS = {
    "stall_load": In(1),
    "stall_store": In(1),
    "stall_token": In(1),
    "window_base": Out(32),
    "window_limit": Out(32),
}


class HostRegisters(wiring.Component):
    """Registers of `spec.registers.core_registers`. A write acts in the cycle in which ``write`` is high; ``read_data``
    follows ``read_offset`` (in words) combinationally; offsets without a register read as 0. Counters clear with
    ``start``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "write": In(1),
                "write_offset": In(REGION_BITS - 2),
                "write_data": In(32),
                "read_offset": In(REGION_BITS - 2),
                "read_data": Out(32),
                "start": Out(1),
                "clear": Out(1),
                "config_matches": Out(1),
                "watchdog": Out(32),
                "busy": In(1),
                "done": In(1),
                "faulted": In(1),
                "fault": In(Fault),
                "fault_index": In(max(1, (config.instructions - 1).bit_length())),
                "cycles": In(32),
                "step": In(1),
                "stall_drain": In(1),
                "stall_walk": In(1),
                **(_BACKING_PORTS if config.has_backing else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Decode writes, count events, select what is read."""
        m = Module()
        own_config = Const(self._config.hash32, 32)
        program_config = Signal(32)
        m.d.comb += self.config_matches.eq(program_config == own_config)
        with m.If(self.write), m.Switch(self.write_offset):
            with m.Case(Register.PROGRAM_CONFIG.offset // 4):
                m.d.sync += program_config.eq(self.write_data)
            with m.Case(Register.WATCHDOG.offset // 4):
                m.d.sync += self.watchdog.eq(self.write_data)
            with m.Case(Register.CONTROL.offset // 4):
                m.d.comb += [
                    self.start.eq((self.write_data & Control.START).any()),
                    self.clear.eq((self.write_data & Control.CLEAR).any()),
                ]

        events = {}
        if self._config.counters:
            events |= {
                Register.BUSY: self.step,
                Register.STALL_DRAIN: self.stall_drain,
                Register.STALL_WALK: self.stall_walk,
            }
        windows = {}
        if self._config.has_backing:
            events |= {
                Register.STALL_LOAD: self.stall_load,
                Register.STALL_STORE: self.stall_store,
                Register.STALL_TOKEN: self.stall_token,
            }
            windows = {Register.WINDOW_BASE: self.window_base, Register.WINDOW_LIMIT: self.window_limit}
        for register, window in windows.items():
            with m.If(self.write & (self.write_offset == register.offset // 4)):
                m.d.sync += window.eq(self.write_data & -PAGE)

        counters = {}
        for register, event in events.items():
            counters[register] = counter = Signal(32, name=f"count_{register.name.lower()}")
            with m.If(self.start):
                m.d.sync += counter.eq(0)
            with m.Elif(event):
                m.d.sync += counter.eq(counter + 1)

        values = {
            Register.MAGIC: Const(MAGIC, 32),
            Register.VERSION: Const(VERSION, 32),
            Register.CONFIG: own_config,
            Register.PROGRAM_CONFIG: program_config,
            Register.CONTROL: Const(0, 32),
            Register.STATUS: self.busy | self.done << 1 | self.faulted << 2 | self.fault << 8,
            Register.FAULT_INDEX: self.fault_index,
            Register.WATCHDOG: self.watchdog,
            Register.CYCLES: self.cycles,
            **counters,
            **windows,
        }
        with m.Switch(self.read_offset):
            for register in core_registers(self._config):
                with m.Case(register.offset // 4):
                    m.d.comb += self.read_data.eq(values[register])
        return m
