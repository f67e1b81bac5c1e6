"""Sequencer: fetches instructions, checks them, runs them one after the other, stops on END or a fault."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .encoder import dybit_widths
from .records import record_layout
from .spec.config import AcceleratorConfig
from .spec.isa import COMPUTE, INSTRUCTION_WORDS, Mode, Opcode
from .spec.registers import Fault

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Runs a program from instruction 0.

    ``start`` (a pulse while neither ``busy`` nor ``faulted``) begins a run; ``done`` rises at its END and falls with
    the next start. A fault clears ``busy``, holds ``fault`` and ``fault_index`` and ignores starts until ``clear``.
    ``unit_run`` is high while the compute units work on ``fields``; they are finished when ``unit_finished`` is high;
    ``unit_illegal`` stops the run. An instruction costs ``INSTRUCTION_WORDS + 4`` cycles beside its units' time.

    ``instruction_address`` addresses 32-bit words in a memory that answers in one cycle. ``log_enable`` stores
    ``checksum`` for instruction ``log_index`` when it has finished.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._index_bits = max(1, (config.instructions - 1).bit_length())
        words_log2 = (INSTRUCTION_WORDS - 1).bit_length()
        super().__init__(
            {
                "start": In(1),
                "clear": In(1),
                "config_matches": In(1),
                "host_fault": In(1),
                "watchdog": In(32),
                "busy": Out(1),
                "done": Out(1),
                "faulted": Out(1),
                "fault": Out(Fault),
                "fault_index": Out(self._index_bits),
                "cycles": Out(32),
                "instruction_address": Out(self._index_bits + words_log2),
                "instruction_word": In(32),
                "fields": Out(record_layout(COMPUTE)),
                "unit_run": Out(1),
                "unit_finished": In(1),
                "unit_illegal": In(1),
                "log_enable": Out(1),
                "log_index": Out(self._index_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One state machine."""
        m = Module()
        config = self._config
        index = Signal(self._index_bits)
        word = Signal(range(INSTRUCTION_WORDS + 1))
        raw = Signal(data.ArrayLayout(32, INSTRUCTION_WORDS))
        fields = data.View(record_layout(COMPUTE), raw.as_value())
        m.d.comb += [
            self.fields.eq(raw.as_value()),
            self.instruction_address.eq(index * INSTRUCTION_WORDS + word),
            self.log_index.eq(index),
        ]

        is_max = fields.mode == Mode.MAX
        illegal, has_tokens = Signal(), Signal()
        m.d.comb += has_tokens.eq(fields.wait_prev | fields.wait_next | fields.post_prev | fields.post_next)
        m.d.comb += illegal.eq(
            (fields.opcode != Opcode.COMPUTE)
            | (fields.rows == 0)
            | (fields.rows > config.rows)
            | (is_max & (fields.rows != 1))
            | (fields.planes == 0)
            | (fields.planes > config.planes)
            | (~is_max & fields.dybit & ((fields.width == 0) | (fields.width > dybit_widths(config))))
            | (fields.out_height == 0)
            | (fields.out_width == 0)
            | (fields.block_count == 0)
            | (fields.column_groups == 0)
            | (fields.channel_period == 0)
        )

        halt_fault = Signal(Fault)
        halt = Signal()
        host_faulted = Signal()  # in the cycle of the start
        m.d.sync += host_faulted.eq(self.host_fault)
        with m.If(self.host_fault | host_faulted):
            m.d.comb += [halt.eq(1), halt_fault.eq(Fault.HOST_ACCESS)]
        with m.Elif(self.unit_illegal):
            m.d.comb += [halt.eq(1), halt_fault.eq(Fault.ILLEGAL_INSTRUCTION)]
        with m.Elif((self.watchdog != 0) & (self.cycles >= self.watchdog)):
            m.d.comb += [halt.eq(1), halt_fault.eq(Fault.WATCHDOG)]

        def stop(fault: Fault | Signal) -> None:
            m.d.sync += [self.faulted.eq(1), self.fault.eq(fault), self.fault_index.eq(index)]
            m.next = "IDLE"

        with m.If(self.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [index.eq(0), word.eq(0)]
                with m.If(self.clear):
                    m.d.sync += [self.faulted.eq(0), self.fault.eq(Fault.NONE), self.fault_index.eq(0)]
                with m.Elif(self.start & ~self.faulted):
                    m.d.sync += [self.done.eq(0), self.cycles.eq(0)]
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += self.busy.eq(1)
                m.next = "FETCH"
                with m.If(~self.config_matches):
                    stop(Fault.CONFIG_MISMATCH)
                with m.If(halt):
                    stop(halt_fault)
            with m.State("FETCH"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += word.eq(word + 1)
                with m.If(word != 0):
                    m.d.sync += raw[(word - 1)[:4]].eq(self.instruction_word)
                with m.If(word == INSTRUCTION_WORDS):
                    m.d.sync += word.eq(0)
                    m.next = "DECODE"
                with m.If(halt):
                    stop(halt_fault)
            with m.State("DECODE"):
                m.d.comb += self.busy.eq(1)
                m.next = "RUN"
                with m.If(has_tokens):
                    stop(Fault.ILLEGAL_INSTRUCTION)
                with m.Elif(fields.opcode == Opcode.END):
                    m.d.sync += self.done.eq(1)
                    m.next = "IDLE"
                with m.Elif(illegal):
                    stop(Fault.ILLEGAL_INSTRUCTION)
                with m.Elif(fields.cert_bits > config.acc_bits):
                    stop(Fault.CERTIFICATE)
                with m.If(halt):
                    m.d.sync += self.done.eq(0)
                    stop(halt_fault)
            with m.State("RUN"):
                m.d.comb += [self.busy.eq(1), self.unit_run.eq(1)]
                with m.If(self.unit_finished):
                    m.d.comb += self.log_enable.eq(1)
                    m.d.sync += index.eq(index + 1)
                    m.next = "FETCH"
                with m.If(halt):
                    stop(halt_fault)
        return m
