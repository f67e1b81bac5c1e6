"""Core: the accelerator behind a port for the host; it wires and decides nothing."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from .cells.delay_line import delayed
from .compute import ComputeUnit
from .control.sequencer import Sequencer
from .memory.activation_memory import ActivationMemory
from .memory.axi4 import Axi4
from .memory.memory_system import MemorySystem
from .memory.program_memory import ProgramMemory
from .memory.scratchpad import Scratchpad
from .ports.host_port import HOST_NAMES, host_port
from .ports.host_registers import HostRegisters
from .ports.host_write import host_write
from .spec.config import AcceleratorConfig
from .spec.pipeline import pipeline
from .spec.registers import Region

__all__ = ["Core"]


class Core(wiring.Component):
    """A complete accelerator core with a port for the host (AXI4-Lite slave ``s_axil``, Wishbone slave ``s_wb``,
    ``uart``, ``spi`` or the requests ``host`` of `BarePort`) and ``irq``, high while a run is done or faulted; with a
    backing store also an AXI4 master ``m_axi``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._host = host_port(config)
        self._name = HOST_NAMES[config.host]
        ports = {self._name: self._host.signature.members["pins"], "irq": Out(1)}
        super().__init__(ports | ({"m_axi": Out(Axi4(data_width=config.bus_bits))} if config.has_backing else {}))

    def elaborate(self, platform: object) -> Module:
        """Connect host port, memories, sequencer and compute unit."""
        m = Module()
        config, plan = self._config, pipeline(self._config)
        m.submodules.host = port = self._host
        host = port.bus
        m.submodules.registers = registers = HostRegisters(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.compute = compute = ComputeUnit(config)
        m.submodules.activations = activations = ActivationMemory(config)
        m.submodules.checksums = checksums = Scratchpad(depth=config.instructions, width=32, granule=32)

        wiring.connect(m, wiring.flipped(getattr(self, self._name)), port.pins)

        program_memories = {}
        for region, address in (
            (Region.INSTRUCTIONS, sequencer.instruction_address),
            (Region.BLOCKS, compute.block_address),
            (Region.TAPS, compute.tap_address),
            (Region.PARAMS, compute.param_address),
            (Region.WEIGHTS, compute.weight_address),
        ):
            memory = ProgramMemory(config, region)
            m.submodules[region.name.lower()] = program_memories[region] = memory
            write = host_write(m, config, host, region)
            m.d.comb += [
                memory.host_write.eq(write.enable),
                memory.host_offset.eq(write.offset),
                memory.host_data.eq(write.data),
                memory.read_address.eq(address),
            ]
        m.d.comb += [
            sequencer.instruction_word.eq(program_memories[Region.INSTRUCTIONS].read_data),
            compute.block.eq(program_memories[Region.BLOCKS].read_data),
            compute.tap.eq(program_memories[Region.TAPS].read_data),
            compute.param_word.eq(program_memories[Region.PARAMS].read_data),
            compute.weight_word.eq(program_memories[Region.WEIGHTS].read_data),
        ]

        table_write = host_write(m, config, host, Region.TABLES)
        for index in range(config.drain_rows * config.rescalers if config.tables else 0):
            m.submodules[f"table{index}"] = copy = ProgramMemory(config, Region.TABLES)
            m.d.comb += [
                copy.host_write.eq(table_write.enable),
                copy.host_offset.eq(table_write.offset),
                copy.host_data.eq(table_write.data),
                copy.read_address.eq(compute.table_addresses[index]),
                compute.table_entries[index].eq(copy.read_data),
            ]

        act_write = host_write(m, config, host, Region.ACTIVATIONS)
        m.d.comb += [
            activations.host.eq(delayed(m, ~sequencer.busy, 1, "host_owns", reset_less=False)),
            activations.host_write.eq(act_write.enable),
            activations.host_write_offset.eq(act_write.offset),
            activations.host_write_data.eq(act_write.data),
            activations.host_read_offset.eq(host.read_offset),
            activations.address.eq(compute.act_address),
            compute.act_words.eq(activations.words),
            activations.write_address.eq(compute.act_write_address),
            activations.write_data.eq(compute.act_write_data),
            activations.write_enable.eq(compute.act_write_enable),
        ]
        if config.drain_rows == 2:
            m.d.comb += [
                activations.pair_address.eq(compute.act_pair_address),
                activations.pair_data.eq(compute.act_pair_data),
                activations.pair_enable.eq(compute.act_pair_enable),
            ]

        m.d.comb += [
            host.busy.eq(sequencer.busy | (registers.starting & ~sequencer.faulted)),
            registers.write.eq(host.write & (host.write_region == Region.REGISTERS)),
            registers.write_offset.eq(host.write_offset),
            registers.write_data.eq(host.write_data),
            registers.read_offset.eq(host.read_offset),
            checksums.read_address.eq(host.read_offset),
            checksums.write_address.eq(sequencer.log_index),
            checksums.write_data.eq(compute.checksum),
            checksums.write_enable.eq(sequencer.log_enable),
        ]

        read = {
            Region.ACTIVATIONS: activations.host_read_data,
            Region.CHECKSUMS: checksums.read_data,
            Region.REGISTERS: registers.read_data,
        }
        chosen = Signal(32)
        with m.Switch(host.read_region):
            for region, word in read.items():
                with m.Case(region):
                    m.d.comb += chosen.eq(delayed(m, word, plan.host_word - 1, f"host_{region.name.lower()}"))
        m.d.comb += [
            host.read_data.eq(delayed(m, chosen, 1, "host_word")),
            sequencer.start.eq(registers.start),
            sequencer.starting.eq(registers.starting),
            sequencer.clear.eq(registers.clear),
            sequencer.config_matches.eq(registers.config_matches),
            sequencer.host_fault.eq(host.conflict),
            sequencer.watchdog.eq(registers.watchdog),
            sequencer.unit_issued.eq(compute.issued),
            sequencer.unit_retired.eq(compute.retired),
            sequencer.unit_illegal.eq(compute.illegal),
            compute.enable.eq(sequencer.busy),
            compute.run.eq(sequencer.unit_run),
            compute.fields.eq(sequencer.fields),
            registers.busy.eq(sequencer.busy),
            registers.done.eq(sequencer.done),
            registers.faulted.eq(sequencer.faulted),
            registers.fault.eq(sequencer.fault),
            registers.fault_index.eq(sequencer.fault_index),
            registers.cycles.eq(sequencer.cycles),
            registers.step.eq(compute.step),
            registers.stall_drain.eq(compute.stall_drain),
            registers.stall_walk.eq(compute.stall_walk),
            self.irq.eq(sequencer.done | sequencer.faulted),
        ]
        if config.has_backing:
            self._add_memory_system(m, host, registers, sequencer, compute, activations, program_memories)
        return m

    def _add_memory_system(
        self,
        m: Module,
        host: Any,
        registers: HostRegisters,
        sequencer: Sequencer,
        compute: ComputeUnit,
        activations: ActivationMemory,
        program_memories: dict[Region, ProgramMemory],
    ) -> None:
        """Connect loader and storer; a run is over for the host when they are at rest, too."""
        m.submodules.memory_system = memory = MemorySystem(self._config)
        wiring.connect(m, wiring.flipped(self.m_axi), memory.bus)
        for region, write in ((Region.WEIGHTS, memory.write_weight), (Region.PARAMS, memory.write_param)):
            m.d.comb += [
                program_memories[region].load_write.eq(write),
                program_memories[region].load_word.eq(memory.load_word),
                program_memories[region].load_piece.eq(memory.load_piece),
                program_memories[region].load_data.eq(memory.load_data),
            ]
        m.d.comb += [
            activations.load_write.eq(memory.write_act),
            activations.load_word.eq(memory.load_word),
            activations.load_piece.eq(memory.load_piece),
            activations.load_data.eq(memory.load_data),
            memory.act_ready.eq(activations.load_ready),
            activations.store_word.eq(memory.store_word),
            memory.store_ready.eq(activations.store_ready),
            memory.store_data.eq(activations.store_data),
            memory.active.eq(sequencer.busy),
            memory.clear.eq(~sequencer.busy),
            memory.fields.eq(sequencer.fetched),
            memory.index.eq(sequencer.log_index),
            memory.waiting.eq(sequencer.waiting),
            memory.accept.eq(sequencer.accept),
            memory.compute_done.eq(sequencer.log_enable),
            memory.done_fields.eq(sequencer.fields),
            memory.base.eq(registers.window_base),
            memory.limit.eq(registers.window_limit),
            sequencer.transfer_legal.eq(memory.legal),
            sequencer.ready.eq(memory.ready),
            sequencer.memory_fault.eq(memory.fault),
            sequencer.memory_fault_index.eq(memory.fault_index),
            sequencer.start.eq(registers.start & memory.idle),
            registers.stall_load.eq(memory.stall_load),
            registers.stall_store.eq(memory.stall_store),
            registers.stall_token.eq(memory.stall_token),
            registers.busy.eq(sequencer.busy | ~memory.idle),
            host.busy.eq(sequencer.busy | ~memory.idle | (registers.starting & ~sequencer.faulted)),
            self.irq.eq((sequencer.done | sequencer.faulted) & memory.idle),
        ]
