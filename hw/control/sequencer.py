"""Sequencer: fetches and checks instructions, perhaps while the one before runs, stops on END or a fault."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..cells.checks import CHECK
from ..cells.delay_line import delayed, kept
from ..cells.interfaces import MemoryRead, MemoryWrite
from ..cells.records import record_layout
from ..spec.config import AcceleratorConfig
from ..spec.isa import COMPUTE, INSTRUCTION_WORDS, Mode, Opcode
from ..spec.pipeline import pipeline
from ..spec.registers import core_faults
from ..spec.tables import TABLE_TOP
from .handout import Handout, index_bits
from .run_control import RunControl
from .stages import UNIT
from .walker import image_layout

__all__ = ["Sequencer"]


def _levels_wrong(config: AcceleratorConfig, fields: data.View) -> list[Value]:
    """Clamps the wrong way round, and levels that are beyond what the core, or a table, holds."""
    bits = min(config.level_bits, 16)
    zero, low, high = (Value.cast(level) for level in (fields.zero, fields.clamp_low, fields.clamp_high))
    wrong = [low[:bits].as_signed() > high[:bits].as_signed()]
    for level in (zero, low, high):
        beyond = level[bits - 1 :]
        wrong.append(beyond.any() & ~beyond.all())
    if config.tables:
        wrong.append((fields.table != 0) & ((low < -TABLE_TOP) | (high > TABLE_TOP)))
    return wrong


class Sequencer(wiring.Component):
    """Runs a program from instruction 0, or from ``control.entry``.

    A ``start`` while neither ``busy`` nor ``faulted`` begins a run, and ``started`` is high with it; ``done`` rises at
    the run's END and falls with the next start. A fault ends a run, holds ``fault`` and ``fault_index`` and ignores
    starts until ``clear``, with which a start is heard again. A ``clear`` while ``busy`` gives the run up. Either way
    ``running`` falls at once, and ``busy`` when nothing of the run is on its way to the memories any more. ``resting``
    is high between runs.

    The compute unit's ``run`` is high while it has steps to issue. It falls for a cycle at least, then the next
    instruction follows, which was fetched meanwhile; without ``prefetch`` it is fetched once the one before is retired,
    so that ``fields`` need no register of their own. The pixels of a COMPUTE are offered on ``images`` in the cycle
    after it is known to be legal, however long it waits. The checksum of a retired instruction is stored through
    ``log``. END and faults of an instruction wait until all before it are retired.

    ``instructions`` are read as words of 32 bits.

    With a backing store a LOAD or STORE goes on as soon as ``handout.ready`` is high, also while a COMPUTE runs; a
    COMPUTE and END wait until all before them are retired, too. ``handout.waiting`` says that nothing but
    ``handout.ready`` is waited for. A fault of a transfer ends the run.

    In a protected core a run ends with MEMORY_ERROR where ``damaged`` is high, or once an instruction is due that was
    fetched damaged (``check`` says so at once); ``host_damaged`` raises that fault while no run lasts.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._index_bits = index_bits(config)
        words_log2 = (INSTRUCTION_WORDS - 1).bit_length()
        super().__init__(
            {
                "control": In(RunControl(config)),
                "host_fault": In(1),
                "running": Out(1),
                "resting": Out(1),
                "instructions": Out(MemoryRead(self._index_bits + words_log2, 32, int(config.is_protected))),
                "unit": Out(UNIT),
                "images": Out(stream.Signature(image_layout(config))),
                "log": Out(MemoryWrite(self._index_bits, 32, 1)),
                **({"handout": Out(Handout(config))} if config.has_backing else {}),
                **({"damaged": In(1), "host_damaged": In(1), "check": Out(CHECK)} if config.is_protected else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A state machine that fetches, and what the compute unit has in hand."""
        m = Module()
        config, plan, faults = self._config, pipeline(self._config), core_faults(self._config)
        control, unit = self.control, self.unit
        index = Signal(self._index_bits)  # of the instruction being fetched
        retired = Signal(self._index_bits)  # the first that is not; with a backing store, the COMPUTE last handed over
        open_instructions = Signal(2)
        fetch_states = INSTRUCTION_WORDS + plan.instruction_read + plan.decode
        word = Signal(range(max(plan.settle, fetch_states)))
        raw = Signal(32 * INSTRUCTION_WORDS, reset_less=True)
        fields = data.View(record_layout(COMPUTE), raw)
        asked = Signal()
        arrives = delayed(m, asked, plan.instruction_read, "arrives", reset_less=False)
        if config.prefetch:  # words shift in from the top, so that each has one place to go to
            with m.If(arrives):
                m.d.sync += raw.eq(Cat(raw[32:], self.instructions.data))
        else:  # bits that nothing reads need no register
            place = delayed(m, word[: (INSTRUCTION_WORDS - 1).bit_length()], plan.instruction_read, "place")
            with m.If(arrives):
                m.d.sync += raw.word_select(place, 32).eq(self.instructions.data)
        fetched_damaged = Signal() if config.is_protected else None
        if fetched_damaged is not None:
            judged = delayed(m, asked, plan.instruction_read + 1, "judged", reset_less=False)
            m.d.comb += self.check.eq(Mux(judged, self.instructions.checks[0].as_value(), 0))
            m.d.sync += fetched_damaged.eq(~(asked & (word == 0)) & (fetched_damaged | self.check.damaged))
        m.d.comb += [
            self.instructions.address.eq(index * INSTRUCTION_WORDS + word),
            self.log.address.eq(delayed(m, retired, plan.checksum, "log_index", reset_less=False)),
            self.log.enable.eq(delayed(m, unit.retired, plan.checksum, "log_enable", reset_less=False)),
            self.log.valid.eq(self.log.enable),
            self.log.data.eq(unit.checksum),
        ]

        is_max = fields.mode == Mode.MAX
        known = plan.decode - 1  # after what each of them needs, before the verdict

        def judged(condition: Value, name: str) -> Value:
            return delayed(m, Value.cast(condition), known, name)

        wrong = [
            fields.opcode != Opcode.COMPUTE,
            fields.rows == 0,
            fields.rows > config.rows,
            is_max & (fields.rows != 1 if config.max_pool else 1),
            fields.planes == 0,
            fields.planes > config.planes,
            ~is_max & fields.uneven & ~fields.rounding.matches(*(each.number for each in config.roundings)),
            ~is_max & ((fields.table > config.tables) | (fields.uneven & (fields.table != 0))),
            fields.out_height == 0,
            fields.out_width == 0,
            fields.block_count == 0,
            fields.column_groups == 0,
            fields.channel_period == 0,
            *(~is_max & levels for levels in _levels_wrong(config, fields)),
        ]
        illegal = Cat(judged(condition, f"wrong{index}_") for index, condition in enumerate(wrong)).any()
        tokens = fields.wait_prev | fields.wait_next | fields.post_prev | fields.post_next

        has_backing = config.has_backing
        is_end = judged(fields.opcode == Opcode.END, "is_end")
        tokens_refused = judged(tokens, "tokens") & (is_end if has_backing else 1)
        certified = judged(fields.cert_bits <= config.acc_bits, "certified")
        verdicts = (
            ~tokens_refused & ~illegal & certified,
            is_end & ~tokens_refused,
            tokens_refused | illegal,
        )
        legal, legal_end, malformed = (
            delayed(m, verdict, 1, f"verdict{index}") for index, verdict in enumerate(verdicts)
        )
        if fetched_damaged is not None:
            legal, legal_end = legal & ~fetched_damaged, legal_end & ~fetched_damaged
        idle, may_start, may_end = Signal(), Signal(), Signal()
        m.d.comb += [
            idle.eq(open_instructions == 0),
            may_start.eq(idle & self.handout.ready if has_backing else ~unit.run),
            may_end.eq(legal_end & self.handout.ready if has_backing else legal_end),
        ]
        legal_transfer = Signal()
        if has_backing:
            is_transfer = (fields.opcode == Opcode.LOAD) | (fields.opcode == Opcode.STORE)
            handout = self.handout
            transferable = is_transfer & handout.legal
            if fetched_damaged is not None:
                transferable &= ~fetched_damaged
            m.d.comb += [
                legal_transfer.eq(transferable),
                handout.active.eq(self.running),
                handout.fields.eq(fields),
                handout.index.eq(index),
                handout.done.eq(self.log.enable),
                handout.done_fields.eq(unit.fields),
            ]

        # while an image is offered, its instruction still lies where it was fetched to
        image, shown = self.images.payload, Signal()
        m.d.comb += [image[name].eq(fields[name]) for name in image.shape().members]
        with m.If(self.images.ready):
            m.d.sync += self.images.valid.eq(0)

        entry = control.entry if config.entry else 0

        halt_fault = Signal(faults)
        halt_index = Signal(self._index_bits)
        halt = Signal()
        host_faulted, was_busy = Signal(), Signal()  # a cycle late, as the port hears of a run's end
        # known a cycle ahead but for one step, since carries are long
        limit, expired = Signal.like(control.watchdog, name="limit"), Signal()
        half = len(limit) // 2
        over, level, under = Signal(), Signal(), Signal()
        counts = self.running & (control.watchdog != 0)
        m.d.sync += [
            was_busy.eq(control.busy),
            host_faulted.eq(self.host_fault & (control.busy | was_busy | control.starting)),
            limit.eq(control.watchdog - 1),
            over.eq(counts & (control.cycles[half:] > limit[half:])),
            level.eq(counts & (control.cycles[half:] == limit[half:])),
            under.eq(control.cycles[:half] >= limit[:half]),
        ]
        m.d.comb += expired.eq(over | (level & under))
        m.d.comb += halt_index.eq(Mux(idle, index, retired) if has_backing else retired)
        with m.If(host_faulted):
            m.d.comb += [halt.eq(1), halt_fault.eq(faults.HOST_ACCESS)]
        if has_backing:
            with m.Elif(handout.fault != faults.NONE):
                m.d.comb += [halt.eq(1), halt_fault.eq(handout.fault), halt_index.eq(handout.fault_index)]
        if config.is_protected:
            with m.Elif(self.damaged):
                m.d.comb += [halt.eq(1), halt_fault.eq(faults.MEMORY_ERROR)]
        with m.Elif(unit.illegal):
            m.d.comb += [halt.eq(1), halt_fault.eq(faults.ILLEGAL_INSTRUCTION)]
        with m.Elif(expired):
            m.d.comb += [halt.eq(1), halt_fault.eq(faults.WATCHDOG)]

        hand_over = Signal()
        here = Signal()  # the next instruction is, in the cycle after
        if config.prefetch:
            # the unit looks at no fields while it does not run: they may come before it is known that it will
            may_come = Signal()
            free = ~unit.run | unit.issued
            if has_backing:
                free = free & ((open_instructions == 0) | ((open_instructions == 1) & unit.retired))
            m.d.sync += may_come.eq(here & free)
            with m.If(may_come):
                m.d.sync += unit.fields.eq(fields)
        else:
            m.d.comb += unit.fields.eq(fields)
        with m.If(hand_over):
            m.d.sync += unit.run.eq(1)
        with m.Elif(unit.issued):
            m.d.sync += unit.run.eq(0)
        if has_backing:
            with m.If(hand_over):
                m.d.sync += retired.eq(index)
        else:
            with m.If(unit.retired):
                m.d.sync += retired.eq(retired + 1)
        m.d.sync += open_instructions.eq(open_instructions + hand_over - unit.retired)

        # a fault is there for the host a cycle late, long before the run has settled
        stops, stop_fault, stop_index = Signal(), Signal(faults), Signal.like(halt_index, name="stop_index")
        stopped = delayed(m, stops, 1, "stopped", reset_less=False)
        why, where = kept(m, "stop", stop_fault, stop_index)
        with m.If(stopped):
            m.d.sync += [control.faulted.eq(1), control.fault.eq(why), control.fault_index.eq(where)]

        def stop(fault: enum.IntEnum | Signal, at: Signal = index) -> None:
            m.d.comb += [stops.eq(1), stop_fault.eq(fault), stop_index.eq(at)]
            give_up()

        def give_up() -> None:
            m.d.sync += [control.done.eq(0), unit.run.eq(0), word.eq(0), self.images.valid.eq(0)]
            m.next = "SETTLE"

        def clear() -> None:
            m.d.sync += [control.faulted.eq(0), control.fault.eq(faults.NONE), control.fault_index.eq(0)]

        def interrupt() -> None:
            """The end of a run that did not come by itself, whatever else happens in the cycle."""
            with m.If(control.clear):
                clear()
                give_up()
            with m.Elif(halt):
                stop(halt_fault, halt_index)

        with m.If(self.running):
            m.d.sync += control.cycles.eq(control.cycles + 1)
        with m.FSM() as states:
            m.d.comb += self.resting.eq(states.ongoing("IDLE") & ~unit.run)
            with m.State("IDLE"):
                m.d.sync += [index.eq(entry), retired.eq(entry), open_instructions.eq(0), word.eq(0)]
                with m.If(control.clear):
                    clear()
                with m.If(host_faulted & ~control.faulted):  # in the last cycle of the run
                    stop(faults.HOST_ACCESS)
                if config.is_protected:
                    with m.Elif(self.host_damaged & ~control.faulted & ~control.start):
                        stop(faults.MEMORY_ERROR)
                        m.next = "IDLE"  # nothing has to settle, and the host goes on
                with m.Elif(control.start & (~control.faulted | control.clear)):
                    m.d.comb += control.started.eq(1)
                    m.d.sync += [control.done.eq(0), control.cycles.eq(0)]
                    m.next = "CHECK"
            with m.State("SETTLE"):
                m.d.comb += control.busy.eq(1)
                m.d.sync += word.eq(word + 1)
                with m.If(word == max(plan.settle, fetch_states) - 1):
                    m.next = "IDLE"
                with m.If(control.clear):
                    clear()
            with m.State("CHECK"):
                m.d.comb += [control.busy.eq(1), self.running.eq(1)]
                m.next = "FETCH"
                with m.If(~control.config_matches):
                    stop(faults.CONFIG_MISMATCH)
                interrupt()
            with m.State("FETCH"):
                m.d.comb += [control.busy.eq(1), self.running.eq(1)]
                m.d.sync += [word.eq(word + 1), shown.eq(0)]
                m.d.comb += asked.eq(word < INSTRUCTION_WORDS)
                with m.If(word == fetch_states - 1):
                    m.d.comb += here.eq(1)
                    m.d.sync += word.eq(0)
                    m.next = "DECODE"
                interrupt()
            with m.State("DECODE"):
                m.d.comb += [control.busy.eq(1), self.running.eq(1), here.eq(1)]
                m.d.sync += shown.eq(1)
                with m.If(legal & ~shown):
                    m.d.sync += self.images.valid.eq(1)
                with m.If(may_start & legal):
                    m.d.comb += hand_over.eq(1)
                    m.d.sync += index.eq(index + 1)
                    m.next = "FETCH" if config.prefetch else "WAIT"
                if has_backing:
                    m.d.comb += [
                        handout.waiting.eq(idle & (legal | legal_transfer | legal_end)),
                        handout.accept.eq(((idle & legal) | legal_transfer) & self.handout.ready & ~halt),
                    ]
                    with m.If(self.handout.ready & legal_transfer):
                        m.d.sync += index.eq(index + 1)
                        m.next = "FETCH"
                with m.If(idle & may_end):
                    m.d.sync += control.done.eq(1)
                    m.next = "IDLE"
                with m.Elif(idle & ~legal & ~legal_transfer & ~legal_end):
                    if fetched_damaged is not None:
                        with m.If(fetched_damaged):
                            stop(faults.MEMORY_ERROR)
                    with m.Elif(malformed) if fetched_damaged is not None else m.If(malformed):
                        stop(faults.ILLEGAL_INSTRUCTION)
                    with m.Else():
                        stop(faults.CERTIFICATE)
                interrupt()
            if not config.prefetch:
                with m.State("WAIT"):
                    m.d.comb += [control.busy.eq(1), self.running.eq(1)]
                    with m.If(unit.retired):
                        m.next = "FETCH"
                    interrupt()
        return m
