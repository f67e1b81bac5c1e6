"""HostRegisters: identification, control, status and counters behind the register map."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.checks import DAMAGE
from ..cells.delay_line import kept
from ..cells.interfaces import BOOT, EVENTS, HOST_WRITE, STREAMING
from ..control.handout import STALLS, WINDOW
from ..control.run_control import RunControl
from ..spec.config import AcceleratorConfig
from ..spec.registers import MAGIC, REGION_BITS, VERSION, Control, Interrupt, Register, Stream, core_registers
from ..spec.transfer import PAGE

__all__ = ["HostRegisters"]


class HostRegisters(wiring.Component):
    """Registers of `spec.registers.core_registers`. A write acts in the cycle after its own, where ``control.start``,
    ``clear`` and ``feed`` are pulses; ``starting`` is high in both. ``word`` follows ``offset`` (in words) two cycles
    later; offsets without a register read as 0. Counters clear when a run is ``started``. ``refused`` says that the
    port refused an access. ``damage`` is kept from a start or CLEAR to the next one. ``irq`` is high from the cycle
    after one in which an enabled cause stands.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "host": In(HOST_WRITE),
                "offset": In(REGION_BITS - 2),
                "word": Out(32),
                "control": Out(RunControl(config)),
                "events": In(EVENTS),
                "refused": In(1),
                "irq": Out(1),
                **({"stalls": In(STALLS), "window": Out(WINDOW)} if config.has_backing else {}),
                **({"streaming": Out(STREAMING)} if config.streams else {}),
                **({"boot": In(BOOT)} if config.boot else {}),
                **({"damage": In(DAMAGE)} if config.is_protected else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Decode writes, count events, select what is read."""
        m = Module()
        control, host = self.control, self.host
        own_config = Const(self._config.hash32, 32)
        program_config = Signal(32)
        m.d.comb += control.config_matches.eq(program_config == own_config)
        written = {register: Signal(name=f"write_{register.name.lower()}") for register in core_registers(self._config)}
        written_data = Signal(32, reset_less=True)
        m.d.sync += written_data.eq(host.data)
        for register, signal in written.items():
            m.d.sync += signal.eq(host.enable & (host.offset == register.offset // 4))
        to_control = host.enable & (host.offset == Register.CONTROL.offset // 4)
        starts = to_control & (host.data & Control.START).any()
        m.d.sync += [control.start.eq(starts), control.clear.eq(to_control & (host.data & Control.CLEAR).any())]
        acts, asked = control.start, starts
        if self._config.frame_bytes:
            feeds = to_control & (host.data & Control.FEED).any()
            m.d.sync += control.feed.eq(feeds)
            acts, asked = acts | control.feed, asked | feeds
        m.d.comb += control.starting.eq(acts | asked)
        with m.If(written[Register.PROGRAM_CONFIG]):
            m.d.sync += program_config.eq(written_data)
        with m.If(written[Register.WATCHDOG]):
            m.d.sync += control.watchdog.eq(written_data)

        events = {
            Register.BUSY: self.events.step,
            Register.STALL_DRAIN: self.events.stall_drain,
            Register.STALL_WALK: self.events.stall_walk,
        }
        windows = {}
        if self._config.has_backing:
            events |= {
                Register.STALL_LOAD: self.stalls.stall_load,
                Register.STALL_STORE: self.stalls.stall_store,
                Register.STALL_TOKEN: self.stalls.stall_token,
            }
            windows = {Register.WINDOW_BASE: self.window.base, Register.WINDOW_LIMIT: self.window.limit}
        wrong = acts & ~control.started  # what comes too late to act, or cannot be
        for register, window in windows.items():
            wrong = wrong | (written[register] & control.busy)
            with m.If(written[register] & ~control.busy):
                m.d.sync += window.eq(written_data & -PAGE)
        entries = {}
        if self._config.entry:
            entries = {Register.ENTRY: control.entry}
            bits, most = len(control.entry), self._config.instructions
            # a comparison of all bits would be a chain of carries
            beyond = written_data[bits:].any() | ((written_data[:bits] >= most) if most != 1 << bits else 0)
            wrong = wrong | (written[Register.ENTRY] & (control.busy | beyond))
            with m.If(written[Register.ENTRY] & ~control.busy & ~beyond):
                m.d.sync += control.entry.eq(written_data)
        refused = Signal()
        with m.If(self.refused | wrong):
            m.d.sync += refused.eq(1)
        with m.Elif(control.clear | control.started):
            m.d.sync += refused.eq(0)

        counters = {}
        [cleared] = kept(m, "cleared", control.started)  # nothing counts so early in a run
        for register, event in events.items() if self._config.counters else ():
            counters[register] = counter = Signal(32, name=f"count_{register.name.lower()}")
            with m.If(cleared):
                m.d.sync += counter.eq(0)
            with m.Elif(event):
                m.d.sync += counter.eq(counter + 1)

        busy: Value = control.busy
        boots = {}
        if self._config.boot:
            busy = busy | self.boot.busy
            boots = {Register.BOOT: Cat(self.boot.state, Const(0, 8 - len(self.boot.state)), self.boot.tag)}
        values = {
            Register.MAGIC: Const(MAGIC, 32),
            Register.VERSION: Const(VERSION, 32),
            Register.CONFIG: own_config,
            Register.PROGRAM_CONFIG: program_config,
            Register.CONTROL: Const(0, 32),
            Register.STATUS: Cat(busy, control.done, control.faulted, refused) | control.fault << 8,
            Register.FAULT_INDEX: control.fault_index,
            Register.WATCHDOG: control.watchdog,
            Register.CYCLES: control.cycles,
            **counters,
            **windows,
            **boots,
            **entries,
            Register.FRAME_BYTES: Const(self._config.frame_bytes, 32),
            **self._interrupts(m, written, written_data, refused),
            **self._streaming(m, written, written_data),
            **self._damage(m),
        }
        read: Value = Const(0, 32)
        for register in core_registers(self._config):
            [chosen] = kept(m, f"read_{register.name.lower()}", self.offset == register.offset // 4)
            read = read | Mux(chosen, values[register], 0)
        m.d.comb += self.word.eq(kept(m, "read_data", read)[0])
        return m

    def _interrupts(
        self, m: Module, written: Mapping[Register, Signal], written_data: Signal, refused: Signal
    ) -> dict[Register, Value]:
        """What raises ``irq``; the registers that say so, where the core has them."""
        control = self.control
        causes = Cat(control.done, control.faulted & ~control.busy, refused)
        if Register.IRQ_STATUS not in written:
            m.d.sync += self.irq.eq(causes[:2].any())
            return {}
        enabled = Signal(len(Interrupt), init=Interrupt.DONE | Interrupt.FAULT)
        acknowledged, stands = Signal.like(causes), Signal.like(causes)
        with m.If(written[Register.IRQ_ENABLE]):
            m.d.sync += enabled.eq(written_data)
        m.d.sync += acknowledged.eq(causes & (acknowledged | Mux(written[Register.IRQ_STATUS], written_data, 0)))
        m.d.comb += stands.eq(causes & ~acknowledged)
        m.d.sync += self.irq.eq((stands & enabled).any())
        return {Register.IRQ_ENABLE: enabled, Register.IRQ_STATUS: stands}

    def _streaming(self, m: Module, written: Mapping[Register, Signal], written_data: Signal) -> dict[Register, Value]:
        """The register of the streams, where the core has them."""
        if Register.STREAM not in written:
            return {}
        streaming, write = self.streaming, written[Register.STREAM]
        enabled = Signal()
        with m.If(write):
            m.d.sync += Cat(enabled, streaming.counted).eq(written_data)
        # what a core loads by itself is not known to be right before all of it is loaded
        booted = ~self.boot.busy if self._config.boot else 1
        m.d.comb += [streaming.enable.eq(enabled & booted), streaming.forget.eq(write)]
        wrong = streaming.wrong << (Stream.SHORT.bit_length() - 1)
        return {Register.STREAM: Cat(enabled, streaming.counted) | wrong | Stream.PRESENT}

    def _damage(self, m: Module) -> dict[Register, Value]:
        """The register of what check bits found, in a protected core."""
        if not self._config.is_protected:
            return {}
        kept_damage = Signal(DAMAGE)
        with m.If(self.control.clear | self.control.started):
            m.d.sync += kept_damage.eq(0)
        with m.Else():
            m.d.sync += kept_damage.eq(kept_damage.as_value() | self.damage.as_value())
        return {Register.DAMAGE: kept_damage.as_value()}
