"""Sequencer: fetches and checks instructions, perhaps while the one before runs, stops on END or a fault."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed
from ..cells.records import record_layout
from ..spec.config import AcceleratorConfig
from ..spec.isa import COMPUTE, INSTRUCTION_WORDS, Mode, Opcode
from ..spec.pipeline import pipeline
from ..spec.registers import Fault

__all__ = ["Sequencer"]


def _backing_ports(index_bits: int) -> dict[str, wiring.Member]:
    return {
        "fetched": Out(record_layout(COMPUTE)),
        "waiting": Out(1),
        "transfer_legal": In(1),
        "ready": In(1),
        "accept": Out(1),
        "memory_fault": In(Fault),
        "memory_fault_index": In(index_bits),
    }


class Sequencer(wiring.Component):
    """Runs a program from instruction 0.

    ``start`` (a pulse while neither ``busy`` nor ``faulted``; ``starting`` is high with it, perhaps before) begins a
    run; ``done`` rises at its END and falls with
    the next start. A fault clears ``busy``, holds ``fault`` and ``fault_index`` and ignores starts until ``clear``.

    ``unit_run`` is high while the compute unit has steps of ``fields`` to issue; ``unit_issued`` says that the last one
    is out. It falls for a cycle at least, then the next instruction follows, which was fetched meanwhile; without
    ``prefetch`` it is fetched once the one before is retired, so that ``fields`` need no register of their own.
    ``unit_retired`` pulses when an instruction has written all its words, and stores ``checksum`` for it
    (``log_enable``, ``log_index``). END and faults of an instruction wait until all before it are retired.
    ``unit_illegal`` stops the run.

    ``instruction_address`` addresses 32-bit words in a memory that answers after `Pipeline.instruction_read`.

    With a backing store a legal instruction, ``fetched`` (LOAD and STORE: ``transfer_legal``), waits, ``waiting`` high,
    until all before it are retired and ``ready`` is high, and goes on with ``accept``; a fault of the `MemorySystem`
    ends the run.

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
                "starting": In(1),
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
                "unit_issued": In(1),
                "unit_retired": In(1),
                "unit_illegal": In(1),
                "log_enable": Out(1),
                "log_index": Out(self._index_bits),
                **(_backing_ports(self._index_bits) if config.has_backing else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A state machine that fetches, and what the compute unit has in hand."""
        m = Module()
        config, plan = self._config, pipeline(self._config)
        index = Signal(self._index_bits)  # of the instruction being fetched
        retired = Signal(self._index_bits)
        open_instructions = Signal(2)
        fetch_states = INSTRUCTION_WORDS + plan.instruction_read + plan.decode
        word = Signal(range(fetch_states))
        # words shift in from the top, so that each has one place to go to
        raw = Signal(32 * INSTRUCTION_WORDS, reset_less=True)
        fields = data.View(record_layout(COMPUTE), raw)
        asked = Signal()
        with m.If(delayed(m, asked, plan.instruction_read, "arrives", reset_less=False)):
            m.d.sync += raw.eq(Cat(raw[32:], self.instruction_word))
        m.d.comb += [
            self.instruction_address.eq(index * INSTRUCTION_WORDS + word),
            self.log_index.eq(delayed(m, retired, plan.checksum, "log_index", reset_less=False)),
            self.log_enable.eq(delayed(m, self.unit_retired, plan.checksum, "log_enable", reset_less=False)),
        ]

        is_max = fields.mode == Mode.MAX
        illegal, has_tokens = Signal(), Signal()
        m.d.comb += has_tokens.eq(fields.wait_prev | fields.wait_next | fields.post_prev | fields.post_next)
        m.d.comb += illegal.eq(
            (fields.opcode != Opcode.COMPUTE)
            | (fields.rows == 0)
            | (fields.rows > config.rows)
            | (is_max & (fields.rows != 1 if config.max_pool else 1))
            | (fields.planes == 0)
            | (fields.planes > config.planes)
            | (~is_max & fields.uneven & ~fields.rounding.matches(*(each.number for each in config.roundings)))
            | (~is_max & ((fields.table > config.tables) | (fields.uneven & (fields.table != 0))))
            | (fields.out_height == 0)
            | (fields.out_width == 0)
            | (fields.block_count == 0)
            | (fields.column_groups == 0)
            | (fields.channel_period == 0)
        )

        has_backing = config.has_backing
        is_end = fields.opcode == Opcode.END
        tokens_refused = has_tokens & is_end if has_backing else has_tokens
        verdicts = (
            ~tokens_refused & ~illegal & (fields.cert_bits <= config.acc_bits),
            is_end & ~tokens_refused,
            tokens_refused | illegal,
        )
        legal, legal_end, malformed = (
            delayed(m, verdict, 1, f"verdict{index}") for index, verdict in enumerate(verdicts)
        )
        idle, may_start, may_end = Signal(), Signal(), Signal()
        m.d.comb += [
            idle.eq(open_instructions == 0),
            may_start.eq(idle & self.ready if has_backing else ~self.unit_run),
            may_end.eq(legal_end & self.ready if has_backing else legal_end),
        ]
        legal_transfer = Signal()
        if has_backing:
            is_transfer = (fields.opcode == Opcode.LOAD) | (fields.opcode == Opcode.STORE)
            m.d.comb += [self.fetched.eq(fields), legal_transfer.eq(is_transfer & self.transfer_legal)]

        halt_fault = Signal(Fault)
        halt_index = Signal(self._index_bits) if has_backing else retired
        halt = Signal()
        host_faulted = Signal()  # a cycle late, since the port lies elsewhere
        limit, expired = Signal.like(self.watchdog, name="limit"), Signal()  # known a cycle ahead
        m.d.sync += [
            host_faulted.eq(self.host_fault & (self.busy | self.starting)),
            limit.eq(self.watchdog - 1),
            expired.eq(self.busy & (self.watchdog != 0) & (self.cycles >= limit)),
        ]
        if has_backing:
            m.d.comb += halt_index.eq(retired)
        with m.If(host_faulted):
            m.d.comb += [halt.eq(1), halt_fault.eq(Fault.HOST_ACCESS)]
        if has_backing:
            with m.Elif(self.memory_fault != Fault.NONE):
                m.d.comb += [halt.eq(1), halt_fault.eq(self.memory_fault), halt_index.eq(self.memory_fault_index)]
        with m.Elif(self.unit_illegal):
            m.d.comb += [halt.eq(1), halt_fault.eq(Fault.ILLEGAL_INSTRUCTION)]
        with m.Elif(expired):
            m.d.comb += [halt.eq(1), halt_fault.eq(Fault.WATCHDOG)]

        hand_over = Signal()
        if not config.prefetch:
            m.d.comb += self.fields.eq(fields)
        with m.If(hand_over):
            m.d.sync += self.unit_run.eq(1)
            if config.prefetch:
                m.d.sync += self.fields.eq(fields)
        with m.Elif(self.unit_issued):
            m.d.sync += self.unit_run.eq(0)
        with m.If(self.unit_retired):
            m.d.sync += retired.eq(retired + 1)
        m.d.sync += open_instructions.eq(open_instructions + hand_over - self.unit_retired)

        def stop(fault: Fault | Signal, at: Signal = retired) -> None:
            m.d.sync += [self.faulted.eq(1), self.fault.eq(fault), self.fault_index.eq(at), self.unit_run.eq(0)]
            m.next = "IDLE"

        with m.If(self.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [index.eq(0), retired.eq(0), open_instructions.eq(0), word.eq(0)]
                with m.If(self.clear):
                    m.d.sync += [self.faulted.eq(0), self.fault.eq(Fault.NONE), self.fault_index.eq(0)]
                with m.Elif(host_faulted & ~self.faulted):  # in the last cycle of the run
                    m.d.sync += self.done.eq(0)
                    stop(Fault.HOST_ACCESS)
                with m.Elif(self.start & ~self.faulted):
                    m.d.sync += [self.done.eq(0), self.cycles.eq(0)]
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += self.busy.eq(1)
                m.next = "FETCH"
                with m.If(~self.config_matches):
                    stop(Fault.CONFIG_MISMATCH)
                with m.If(halt):
                    stop(halt_fault, halt_index)
            with m.State("FETCH"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += word.eq(word + 1)
                m.d.comb += asked.eq(word < INSTRUCTION_WORDS)
                with m.If(word == fetch_states - 1):
                    m.d.sync += word.eq(0)
                    m.next = "DECODE"
                with m.If(halt):
                    stop(halt_fault, halt_index)
            with m.State("DECODE"):
                m.d.comb += self.busy.eq(1)
                with m.If(may_start & legal):
                    m.d.comb += hand_over.eq(1)
                    m.d.sync += index.eq(index + 1)
                    m.next = "FETCH" if config.prefetch else "WAIT"
                if has_backing:
                    m.d.comb += [
                        self.waiting.eq(idle & (legal | legal_transfer | legal_end)),
                        self.accept.eq(idle & (legal | legal_transfer) & self.ready & ~halt),
                    ]
                    with m.If(idle & self.ready & legal_transfer):
                        m.d.sync += [index.eq(index + 1), retired.eq(retired + 1)]
                        m.next = "FETCH"
                with m.If(idle & may_end):
                    m.d.sync += self.done.eq(1)
                    m.next = "IDLE"
                with m.Elif(idle & ~legal & ~legal_transfer & ~legal_end):
                    with m.If(malformed):
                        stop(Fault.ILLEGAL_INSTRUCTION)
                    with m.Else():
                        stop(Fault.CERTIFICATE)
                with m.If(halt):
                    m.d.sync += self.done.eq(0)
                    stop(halt_fault, halt_index)
            if not config.prefetch:
                with m.State("WAIT"):
                    m.d.comb += self.busy.eq(1)
                    with m.If(self.unit_retired):
                        m.next = "FETCH"
                    with m.If(halt):
                        stop(halt_fault, halt_index)
        return m
