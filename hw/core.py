"""Core: the accelerator behind a port for the host; it wires and decides nothing."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, DomainRenamer, Elaboratable, Module, Mux, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .boot.boot_loader import BootLoader
from .boot.flash_reader import FLASH
from .cells.checks import CHECK
from .cells.delay_line import delayed
from .cells.interfaces import hand_on
from .compute import ComputeUnit
from .control.idle_watch import IdleWatch
from .control.run_control import RunGate
from .control.sequencer import Sequencer
from .feed.feeder import Feeder
from .memory.activations import Activations
from .memory.axi4 import Axi4
from .memory.host_store import HostStore
from .memory.memory_system import MemorySystem
from .memory.program_memory import ProgramMemory
from .memory.scratchpad import Scratchpad
from .memory.table_memory import TableMemory
from .ports.axi_stream import AXI_BYTES, from_pins, to_pins
from .ports.host_port import HOST_NAMES, host_port
from .ports.host_registers import HostRegisters
from .ports.host_window import HostWindow
from .serve.server import StreamServer
from .spec.config import AcceleratorConfig
from .spec.pipeline import pipeline
from .spec.registers import Region

__all__ = ["Core"]


class Core(wiring.Component):
    """A complete accelerator core with a port for the host (AXI4-Lite slave ``s_axil``, Wishbone slave ``s_wb``,
    ``uart``, ``spi``, ``usb`` or the requests ``host`` of `BarePort`) and ``irq``; with a backing store also an AXI4
    master ``m_axi``, with streams AXI4-Streams ``s_axis`` of frames and ``m_axis`` of answers, with ``boot`` pins
    ``flash`` for an SPI flash memory.

    One that is ``gated`` has the host's port alone on ``clk``, and all that is behind it on ``work_clk``, which is
    ``clk`` without edges that may be left out: those at the ends of cycles in which ``idle`` is high, since they would
    change no register. ``idle`` is a register, but for a frame's byte on ``s_axis``, with which it falls at once.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._host = host_port(config)
        self._name = HOST_NAMES[config.host]
        ports = {self._name: self._host.signature.members["pins"], "irq": Out(1)}
        ports |= {"m_axi": Out(Axi4(data_width=config.bus_bits))} if config.has_backing else {}
        ports |= {"s_axis": In(AXI_BYTES), "m_axis": Out(AXI_BYTES)} if config.streams else {}
        ports |= {"flash": Out(FLASH)} if config.boot else {}
        super().__init__(ports | ({"work_clk": In(1), "idle": Out(1)} if config.gated else {}))

    def elaborate(self, platform: object) -> Elaboratable:
        """Connect the host's side, sequencer and compute unit, and the memories between them."""
        m = Module()
        config = self._config
        host = self._host
        m.submodules.host = DomainRenamer(_AWAKE)(host) if config.gated else host
        m.submodules.window = window = HostWindow(config)
        m.submodules.registers = registers = HostRegisters(config)
        m.submodules.run = run = RunGate(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.compute = compute = ComputeUnit(config)
        connect(m, flipped(getattr(self, self._name)), host.pins)
        if config.boot:
            m.submodules.boot = boot = BootLoader(config)
            connect(m, host.bus, boot.host)
            connect(m, boot.bus, window.bus)
            connect(m, boot.boot, registers.boot)
            connect(m, flipped(self.flash), boot.pins)
        else:
            connect(m, host.bus, window.bus)
        connect(m, window.registers_write, registers.host)
        if config.streams:
            m.submodules.server = server = StreamServer(config)
            connect(m, registers.control, server.registers)
            connect(m, registers.streaming, server.streaming)
            connect(m, window.frame_write, server.host_frame)
            connect(m, window.answer_write, server.answer)
            from_pins(m, self.s_axis, server.frames)
            to_pins(m, server.answers, self.m_axis)
        connect(m, server.run if config.streams else registers.control, run.registers)
        connect(m, run.sequencer, sequencer.control)
        connect(m, sequencer.unit, compute.unit)
        connect(m, sequencer.images, compute.images)
        connect(m, compute.events, registers.events)

        m.submodules.activations = activations = Activations(config)
        connect(m, window.activations_write, activations.host)
        connect(m, compute.activations, activations.read)
        for write, port in zip(compute.writes, activations.writes, strict=True):
            connect(m, write, port)
        memories = {region: ProgramMemory(config, region) for region in (Region.INSTRUCTIONS, *_COMPUTES)}
        if config.tables:
            memories[Region.TABLES] = TableMemory(config)
        for region, memory in memories.items():
            name = region.name.lower()
            m.submodules[name] = memory
            connect(m, getattr(window, f"{name}_write"), memory.host)
            connect(m, getattr(sequencer if region is Region.INSTRUCTIONS else compute, name), memory.read)
        if config.frame_bytes:
            m.submodules.feeder = feeder = Feeder(config)
            connect(m, server.frame if config.streams else window.frame_write, feeder.frame)
            connect(m, window.codes_write, feeder.codes)
            connect(m, window.feed_write, feeder.feed)
            connect(m, run.feeding, feeder.feeding)
            connect(m, feeder.write, activations.feed)
        m.submodules.checksums = checksums = Scratchpad(
            depth=config.instructions, width=32, granule=32, read_cycles=pipeline(config).instruction_read
        )

        refused = [window.refused]
        busy, offset = run.busy, window.offset
        if config.streams:
            m.d.comb += server.beat.eq(activations.beat)
            busy, offset = busy | server.occupied, Mux(server.reading, server.offset, offset)
        m.d.comb += [
            window.busy.eq(busy),
            window.deaf.eq(sequencer.control.faulted),
            window.registers_word.eq(registers.word),
            window.activations_word.eq(activations.beat),
            window.checksums_word.eq(checksums.read_data),
            registers.offset.eq(window.offset),
            activations.busy.eq(run.busy),
            activations.offset.eq(offset),
            checksums.read_address.eq(window.offset),
            checksums.write_address.eq(sequencer.log.address),
            checksums.write_data.eq(sequencer.log.data),
            checksums.write_enable.eq(sequencer.log.enable),
            run.conflict.eq(window.conflict),
            sequencer.host_fault.eq(run.host_fault),
            compute.enable.eq(sequencer.running),
            self.irq.eq(registers.irq),
        ]
        if config.has_backing:
            m.submodules.memory_system = transfers = MemorySystem(config)
            if config.shows_store:
                m.submodules.host_store = store = HostStore(config)
                connect(m, host.store, store.access)
                connect(m, transfers.m_axi, store.inner)
                m.d.comb += [
                    store.busy.eq(run.busy),
                    store.settled.eq(transfers.settled),
                    store.base.eq(registers.window.base),
                ]
                refused.append(store.refused)
            hand_on(m, self, store if config.shows_store else transfers, "m_axi")
            connect(m, sequencer.handout, transfers.handout)
            connect(m, registers.window, transfers.window)
            connect(m, transfers.stalls, registers.stalls)
            connect(m, transfers.weights, memories[Region.WEIGHTS].load)
            connect(m, transfers.params, memories[Region.PARAMS].load)
            connect(m, transfers.activations, activations.load)
            connect(m, transfers.words, activations.store)
            m.d.comb += run.idle.eq(transfers.idle)
        m.d.comb += registers.refused.eq(Cat(refused).any())
        if config.is_protected:
            self._protect(m)
        return self._gate(m) if config.gated else m

    def _gate(self, m: Module) -> Elaboratable:
        """The port stays on the core's clock; the rest goes to that which may stand still."""
        parts = m.submodules
        resting = [~parts.run.busy, parts.sequencer.resting]
        if self._config.frame_bytes:
            resting.append(parts.feeder.resting)
        if self._config.streams:
            resting.append(parts.server.resting)
        if self._config.boot:
            resting.append(parts.boot.resting)
        if self._config.has_backing:
            resting.append(parts.memory_system.settled)
        if self._config.shows_store:
            resting.append(parts.host_store.resting)
        begins = self.s_axis.tvalid if self._config.streams else Const(0)
        watch = IdleWatch()
        m.submodules.watch = DomainRenamer(_AWAKE)(watch)
        m.domains.work = ClockDomain(local=True)
        m.d.comb += [
            watch.active.eq(self._host.active | begins),
            watch.resting.eq(Cat(resting).all()),
            self.idle.eq(watch.idle & ~begins),
            ClockSignal("work").eq(self.work_clk),
            ResetSignal("work").eq(ResetSignal(_AWAKE)),
        ]
        return DomainRenamer({"sync": "work", _AWAKE: "sync"})(m)

    def _protect(self, m: Module) -> None:
        """What check bits find ends a run, and is kept by region."""
        parts = m.submodules
        registers, sequencer, compute, activations = parts.registers, parts.sequencer, parts.compute, parts.activations
        checks = [(Region[name.upper()], compute.checks[name]) for name, _ in compute.checks.shape()]
        checks += [(Region.INSTRUCTIONS, sequencer.check), (Region.ACTIVATIONS, activations.check)]
        if self._config.has_backing:
            checks.append((Region.ACTIVATIONS, parts.memory_system.check))
        for kind, _ in CHECK:
            for region in Region:
                found = Cat(check[kind] for of, check in checks if of is region).any()
                m.d.comb += registers.damage[kind][region].eq(found)
        # a write shows the offset that it goes to: what lay there before is of no interest
        bus, plan = parts.window.bus, pipeline(self._config)
        writes = [bus.write]
        for stage in range(plan.host_write + plan.to_banks + 2):
            writes.append(delayed(m, writes[-1], 1, f"wrote{stage}_", reset_less=False))
        m.d.comb += [
            activations.reading.eq((bus.read_region == Region.ACTIVATIONS) & ~Cat(writes).any()),
            sequencer.damaged.eq(compute.damaged),
            sequencer.host_damaged.eq(activations.check.damaged),
        ]


_AWAKE = "awake"
"""Domain of what notices that there is work, until a gated core's domains get their names."""

_COMPUTES = (Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS)
"""Program memories that the compute unit reads, through ports of their names."""
