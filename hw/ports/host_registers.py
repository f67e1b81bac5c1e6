"""HostRegisters: identification, control, status and counters behind the register map."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import kept
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
    """Registers of `spec.registers.core_registers`. A write acts in the cycle after the one in which ``write`` is high,
    where ``start`` and ``clear`` are pulses; ``starting`` is high in both. ``read_data`` follows ``read_offset`` (in
    words) two cycles later; offsets without a register read as 0. Counters clear with ``start``.

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
                "starting": Out(1),
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
        written = {register: Signal(name=f"write_{register.name.lower()}") for register in core_registers(self._config)}
        written_data = Signal(32, reset_less=True)
        m.d.sync += written_data.eq(self.write_data)
        for register, signal in written.items():
            m.d.sync += signal.eq(self.write & (self.write_offset == register.offset // 4))
        to_control = self.write & (self.write_offset == Register.CONTROL.offset // 4)
        m.d.comb += [
            self.start.eq(written[Register.CONTROL] & (written_data & Control.START).any()),
            self.clear.eq(written[Register.CONTROL] & (written_data & Control.CLEAR).any()),
            self.starting.eq(self.start | (to_control & (self.write_data & Control.START).any())),
        ]
        with m.If(written[Register.PROGRAM_CONFIG]):
            m.d.sync += program_config.eq(written_data)
        with m.If(written[Register.WATCHDOG]):
            m.d.sync += self.watchdog.eq(written_data)

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
            with m.If(written[register]):
                m.d.sync += window.eq(written_data & -PAGE)

        counters = {}
        [cleared] = kept(m, "cleared", self.start)  # nothing counts so early in a run
        for register, event in events.items():
            counters[register] = counter = Signal(32, name=f"count_{register.name.lower()}")
            with m.If(cleared):
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
        read: Value = Const(0, 32)
        for register in core_registers(self._config):
            [chosen] = kept(m, f"read_{register.name.lower()}", self.read_offset == register.offset // 4)
            read = read | Mux(chosen, values[register], 0)
        m.d.comb += self.read_data.eq(kept(m, "read_data", read)[0])
        return m
