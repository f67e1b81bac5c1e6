"""Stepper: unrolls an instruction's column groups, blocks, channel groups and taps into one step a cycle."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..array.array import STEP_FLAGS
from ..cells.checks import CHECK
from ..cells.delay_line import delayed
from ..cells.interfaces import EVENTS, INSTRUCTION, MemoryRead, hand_on
from ..cells.records import record_layout
from ..drain.pace import pace_bits
from ..spec.config import AcceleratorConfig
from ..spec.isa import BLOCK
from ..spec.pipeline import pipeline
from .block_fetch import BlockFetch
from .held_word import HELD_FLAGS
from .job_queue import JobQueue, job_layout, lanes_layout
from .stages import STEPPING
from .walker import pixel_group_layout

__all__ = ["Stepper", "step_layout"]


def step_layout(config: AcceleratorConfig) -> data.StructLayout:
    """One step: which tap, where its words lie, what to do with the sums."""
    job = job_layout(config)
    return data.StructLayout(
        {
            "tap": job["first_tap"].shape,
            "base": job["base"].shape,  # activation address before the tap's offset
            "weight": job["weight"].shape,
            "pad_code": config.code_bits,
            "flags": STEP_FLAGS,
            "new_group": 1,  # the first step of a pixel group
            **({"dynamic": HELD_FLAGS} if config.dynamic else {}),
            **({"lanes": lanes_layout(config)} if config.diagonals > 1 else {}),
        }
    )


class Stepper(wiring.Component):
    """Emits the steps of one COMPUTE, without an idle cycle between blocks, tiles or pixel groups as long as nothing
    stalls.

    ``step`` is valid while ``step.flags.valid`` is high and cannot be refused; none comes before ``stepping`` allows
    it. A tile's last step waits until ``drain_cycles`` have passed since the one before, so that the drain is never
    overrun.

    With single-port memories no step comes in the cycle after one in which ``hold`` is high.

    ``groups`` is the pixel walker's stream; a group is taken with the first step that belongs to it
    (``step.new_group``); ``groups.ready`` says so `Pipeline.group` cycles later. Blocks come from a memory that answers
    after `Pipeline.block_read`.

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
                "stepping": In(STEPPING),
                "drain_cycles": In(pace_bits(config)),
                "groups": In(stream.Signature(pixel_group_layout(config))),
                "blocks": Out(MemoryRead(max(1, (config.blocks - 1).bit_length()), record_layout(BLOCK), checked)),
                "step": Out(step_layout(config)),
                "events": Out(EVENTS),
                **({"hold": In(1)} if config.memories == "single" else {}),
                **({"check": Out(CHECK)} if checked else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Blocks become jobs, jobs wait in a queue, and each is unrolled into its steps."""
        m = Module()
        m.submodules.fetch = fetch = BlockFetch(self._config)
        m.submodules.jobs = jobs = JobQueue(self._config)
        hand_on(m, self, fetch, "instruction", "blocks")
        if self._config.is_protected:
            m.d.comb += self.check.eq(fetch.check)
        m.d.comb += [
            fetch.group_valid.eq(self.groups.valid),
            fetch.group_line_end.eq(self.groups.payload.line_end),
            fetch.group_last.eq(self.groups.payload.last),
            fetch.group_taken.eq(self.groups.ready),
            fetch.started.eq(jobs.take),
            jobs.run.eq(self.instruction.run),
            jobs.put.eq(fetch.put),
            jobs.job.eq(fetch.job),
            self.stepping.illegal.eq(fetch.illegal),
        ]
        self._issue(m, fetch, jobs)
        return m

    def _may_issue(self, m: Module, emit: Signal, ends_next: Signal) -> Value:
        """Whether the running job may issue a step in the cycle behind, on a core where it may be early."""
        stepping = self.stepping
        begun, left = Signal(name="begun"), Signal.like(stepping.early, name="early_left")
        some, one = Signal(name="early_some"), Signal(name="early_one")  # whether there are, known a cycle ahead
        left_next = Signal.like(left, name="early_next")
        m.d.comb += left_next.eq(Mux(begun, left - (emit & some), stepping.early))
        m.d.sync += [begun.eq(self.instruction.run), left.eq(left_next)]
        m.d.sync += [some.eq(left_next != 0), one.eq(left_next == 1)]
        return stepping.go | (some & ~(emit & one) & ~ends_next)

    def _issue(self, m: Module, fetch: BlockFetch, jobs: JobQueue) -> None:
        """The steps of the running job. Whether a counter is at its end is known a cycle ahead: much hangs on it."""
        plan, job = pipeline(self._config), jobs.head
        run = self.instruction.run
        running, fresh = Signal(name="running"), Signal()
        current = Signal(job_layout(self._config), reset_less=True)
        taps_left = Signal.like(job.taps_less, name="taps_left")
        groups_left = Signal.like(job.groups_less, name="groups_left")
        last_tap, last_group, job_end, last_step = Signal(), Signal(), Signal(), Signal()
        drain_left, draining = Signal.like(self.drain_cycles, name="drain_left"), Signal()
        gone = Signal()
        m.d.sync += gone.eq(run & self.stepping.go)
        # what stalls a step is known a cycle ahead, too
        emit, runs_on, ends_next, drains_next = Signal(), Signal(), Signal(), Signal()
        held = self.hold if self._config.memories == "single" else Const(0)
        # where steps may be early a job is taken at once, and waits; else it is taken when all of its steps may come
        early = self._config.issues_early
        may_take, may_issue = (Const(1), self._may_issue(m, emit, ends_next)) if early else (self.stepping.go, Const(1))
        m.d.comb += [
            runs_on.eq(run & (jobs.take | (running & ~(emit & job_end)))),
            drains_next.eq(run & Mux(emit & last_step, self.drain_cycles != 1, draining & (drain_left != 1))),
            ends_next.eq(last_step),
        ]
        m.d.sync += [
            running.eq(runs_on),
            draining.eq(drains_next),
            last_step.eq(ends_next),
            emit.eq(runs_on & ~(ends_next & drains_next) & ~held & may_issue),
        ]
        m.d.comb += [
            jobs.take.eq(jobs.valid & may_take & (~running | (emit & job_end))),
            self.events.step.eq(emit),
            self.events.stall_drain.eq(running & ~emit & (gone if early else 1)),
            self.events.stall_walk.eq(gone & ~running & fetch.idle),
        ]
        m.d.comb += [
            self.step.tap.eq(current.first_tap),
            self.step.base.eq(current.base),
            self.step.weight.eq(current.weight),
            self.step.pad_code.eq(current.pad_code),
            self.step.flags.valid.eq(emit),
            self.step.flags.first.eq(current.first & fresh),
            self.step.flags.shift.eq(current.shift & fresh),
            self.step.flags.last.eq(last_step),
            self.step.new_group.eq(current.new_group & fresh),
            self.groups.ready.eq(delayed(m, emit & current.new_group & fresh, plan.group, "taken", reset_less=False)),
        ]
        if self._config.diagonals > 1:
            m.d.comb += self.step.lanes.eq(current.lanes)
        if self._config.dynamic:
            m.d.comb += [
                self.step.dynamic.eq(current.dynamic),
                self.step.dynamic.latch.eq(current.dynamic.latch & emit),
            ]
        with m.If(draining):
            m.d.sync += drain_left.eq(drain_left - 1)
        with m.If(emit & last_step):
            m.d.sync += drain_left.eq(self.drain_cycles - 1)
        first_tap = Signal.like(current.first_tap, name="first_tap", reset_less=True)
        with m.If(emit):
            ends = (taps_left == 1) & last_group
            m.d.sync += [
                fresh.eq(0),
                current.first_tap.eq(current.first_tap + 1),
                taps_left.eq(taps_left - 1),
                last_tap.eq(taps_left == 1),
                job_end.eq(ends),
            ]
            m.d.comb += ends_next.eq(ends & current.last)
            with m.If(~current.hold | last_tap):
                m.d.sync += current.weight.eq(current.weight + 1)
            with m.If(last_tap):
                ends = current.one_tap & (groups_left == 1)
                m.d.sync += [
                    current.first_tap.eq(first_tap),
                    taps_left.eq(current.taps_less),
                    last_tap.eq(current.one_tap),
                    groups_left.eq(groups_left - 1),
                    last_group.eq(groups_left == 1),
                    job_end.eq(ends),
                    current.base.eq(current.base + current.pitch),
                ]
                m.d.comb += ends_next.eq(ends & current.last)
        with m.If(jobs.take):
            ends = job.one_tap & job.one_group
            m.d.sync += [
                current.eq(job),
                fresh.eq(1),
                first_tap.eq(job.first_tap),
                taps_left.eq(job.taps_less),
                last_tap.eq(job.one_tap),
                groups_left.eq(job.groups_less),
                last_group.eq(job.one_group),
                job_end.eq(ends),
            ]
            m.d.comb += ends_next.eq(ends & job.last)
        finished = run & fetch.all_fetched & fetch.none_out & ~running
        m.d.comb += self.stepping.finished.eq(delayed(m, finished, plan.finish, "finished", reset_less=False))
