"""BlockFetch: which block of which tile comes next, and its record made a job."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.checks import CHECK
from ..cells.delay_line import delayed
from ..cells.interfaces import INSTRUCTION, MemoryRead
from ..cells.records import field_of, record_layout
from ..spec.config import AcceleratorConfig
from ..spec.isa import BLOCK, COMPUTE
from ..spec.pipeline import pipeline
from .held_word import HELD_FLAGS
from .job_queue import job_layout

__all__ = ["BlockFetch"]


class BlockFetch(wiring.Component):
    """Jobs of one COMPUTE, tile by tile, for a queue of `Pipeline.jobs` places.

    Starts when the instruction's ``run`` rises. A block is fetched in every cycle in which
    one is wanted and there is a place for its job; ``started`` gives a place back, `Pipeline.credit` later. ``put`` is
    high with each ``job``, `Pipeline.fetch` - 1 cycles behind the block's address.

    ``group_valid``, ``group_line_end`` and ``group_last`` show the pixel walker's group until ``group_taken``; its
    blocks are fetched meanwhile. ``idle`` says that the next group is waited for, ``all_fetched`` that there is none,
    ``none_out`` that all jobs have started. ``illegal`` is high when a block without groups or taps has been read. With
    check bits ``check`` is that of a block, not behind ``illegal``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        checked = int(config.is_protected)
        super().__init__(
            {
                "instruction": In(INSTRUCTION),
                "group_valid": In(1),
                "group_line_end": In(1),
                "group_last": In(1),
                "group_taken": In(1),
                "blocks": Out(MemoryRead(max(1, (config.blocks - 1).bit_length()), record_layout(BLOCK), checked)),
                "put": Out(1),
                "job": Out(job_layout(config)),
                "started": In(1),
                "idle": Out(1),
                "all_fetched": Out(1),
                "none_out": Out(1),
                "illegal": Out(1),
                **({"check": Out(CHECK)} if checked else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Counters from outermost to innermost; whether each is at its end is known a cycle ahead."""
        m = Module()
        plan, dynamic = pipeline(self._config), self._config.dynamic
        block = delayed(m, self.blocks.data, plan.block_word, "block")
        known_in = plan.block_read + plan.block_word
        run, fields = self.instruction.run, self.instruction.fields
        job = Signal(job_layout(self._config))

        places = Signal(range(plan.jobs + 1), init=plan.jobs)
        free = Signal(init=1)  # known ahead
        started, fetch = Signal(), Signal()
        places_next = Signal.like(places)
        m.d.comb += [places_next.eq(places - fetch + started), self.none_out.eq(places == plan.jobs)]
        m.d.sync += [started.eq(self.started), places.eq(places_next), free.eq(places_next != 0)]
        with m.If(~run):
            m.d.sync += [places.eq(plan.jobs), free.eq(1)]

        origin, channel = Signal.like(job.base, name="origin"), Signal.like(job.base, name="channel")
        fixed = Signal.like(job.base, name="fixed")  # of dynamic weights alone
        weight = Signal.like(job.weight, name="weight")
        shares = self._config.diagonals > 1
        diagonal = Signal(range(self._config.diagonals))  # which of those of a channel period
        block_index = Signal(fields.first_block.shape())
        counts = [fields.block_count, fields.column_groups, fields.channel_period]
        left = [Signal.like(count, name=f"left{index}") for index, count in enumerate(counts)]
        lasts = [Signal(name=f"last{index}") for index in range(len(counts))]
        ones = [Signal(name=f"one{index}") for index in range(len(counts))]  # constant for an instruction
        m.d.sync += [one.eq(count == 1) for one, count in zip(ones, counts, strict=True)]
        last_block, last_tile, last_period = lasts
        origin_step, last_group = Signal.like(origin, name="origin_step"), Signal()
        begun, in_group, fetched = Signal(), Signal(), Signal()
        first_block, new_group = Signal(), Signal()
        m.d.comb += [
            fetch.eq(in_group & free),
            self.blocks.address.eq(block_index),
            self.idle.eq(begun & ~in_group & ~self.all_fetched),
        ]

        def restart(place: int) -> None:
            m.d.sync += [left[place].eq(counts[place] - 1), lasts[place].eq(ones[place])]

        def count_down(place: int) -> None:
            m.d.sync += [left[place].eq(left[place] - 1), lasts[place].eq(left[place] == 1)]

        with m.If(~in_group):
            m.d.sync += [
                new_group.eq(1),
                first_block.eq(1),
                origin_step.eq(Mux(self.group_line_end, fields.origin_line, fields.origin_step)),
                last_group.eq(self.group_last),
                block_index.eq(fields.first_block),
                channel.eq(0),
                weight.eq(fields.weight_base),
            ]
            if dynamic:
                m.d.sync += fixed.eq(0)
            if shares:
                m.d.sync += diagonal.eq(0)
            for place in range(len(counts)):
                restart(place)
        with m.If(fetch):
            m.d.sync += [new_group.eq(0), first_block.eq(last_block), block_index.eq(block_index + 1)]
            count_down(0)
            with m.If(last_block):
                restart(0)
                m.d.sync += block_index.eq(fields.first_block)
                if shares:
                    m.d.sync += diagonal.eq(Mux(last_period, 0, diagonal + 1))
                with m.If(last_period | ~fields.diagonal if shares else Const(1)):
                    m.d.sync += weight.eq(weight + fields.weight_pitch)
                count_down(1)
                count_down(2)
                with m.If(last_period):
                    restart(2)
                    m.d.sync += channel.eq(channel + fields.channel_step)
                    if dynamic:
                        m.d.sync += fixed.eq(fixed + field_of(fields, COMPUTE, "fixed_step"))
                with m.If(last_tile):
                    m.d.sync += [in_group.eq(0), self.all_fetched.eq(last_group), origin.eq(origin + origin_step)]

        with m.If(~run):
            m.d.sync += [begun.eq(0), in_group.eq(0), fetched.eq(0), self.all_fetched.eq(0)]
        with m.Elif(~begun):
            m.d.sync += [begun.eq(1), origin.eq(fields.origin)]
        with m.Else():
            with m.If(~in_group & ~fetched & ~self.all_fetched & self.group_valid):
                m.d.sync += [in_group.eq(1), fetched.eq(1)]
            with m.If(self.group_taken):
                m.d.sync += fetched.eq(0)

        # what is known of a job when its block is asked for arrives with the block
        arrives = self._while_running(m, fetch, known_in, "arrives")
        base = Signal.like(job.base, name="base")
        m.d.comb += base.eq(origin + channel)
        together = {"base": base, "weight": weight, "first": first_block, "last": last_block, "new_group": new_group}
        if dynamic:
            together["fixed"] = fixed
        if shares:
            m.d.comb += job.lanes.apart.eq(fields.diagonal)
            together["diagonal"] = diagonal
        known = {name: delayed(m, value, known_in, name) for name, value in together.items()}
        if shares:
            m.d.comb += job.lanes.place.eq(known["diagonal"])
        start = known["base"]
        if dynamic:
            start = Mux(field_of(block, BLOCK, "fixed"), known["fixed"], start)
            m.d.comb += [job.dynamic[name].eq(field_of(block, BLOCK, name)) for name in HELD_FLAGS.members]
        m.d.comb += [
            job.base.eq(start + block.base),
            job.pitch.eq(block.group_pitch),
            job.weight.eq(known["weight"] + block.weight_base),
            job.groups_less.eq(block.groups - 1),
            job.one_group.eq(block.groups == 1),
            job.first_tap.eq(block.first_tap),
            job.taps_less.eq(block.tap_count - 1),
            job.one_tap.eq(block.tap_count == 1),
            job.pad_code.eq(block.pad_code),
            job.shift.eq(block.shift),
            job.hold.eq(block.hold),
            job.first.eq(known["first"]),
            job.last.eq(known["last"]),
            job.new_group.eq(known["new_group"]),
        ]
        late = plan.job - 1
        bad = delayed(m, (block.groups == 0) | (block.tap_count == 0), late, "bad")
        m.d.comb += [
            self.put.eq(self._while_running(m, arrives, late, "put")),
            self.job.eq(delayed(m, job, late, "job")),
        ]
        illegal = self.put & bad
        if self._config.is_protected:
            judged = self._while_running(m, fetch, plan.block_read + 1, "judged")
            m.d.comb += self.check.eq(Mux(judged, self.blocks.checks[0].as_value(), 0))
            illegal = self._while_running(m, illegal, 1, "illegal")  # by then it is known whether it was damaged
        m.d.comb += self.illegal.eq(illegal)
        return m

    def _while_running(self, m: Module, pulse: Signal, cycles: int, name: str) -> Signal:
        for stage in range(cycles):
            late = Signal(name=f"{name}{stage}")
            m.d.sync += late.eq(pulse & self.instruction.run)
            pulse = late
        return pulse
