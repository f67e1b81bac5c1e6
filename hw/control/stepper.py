"""Stepper: unrolls an instruction's column groups, blocks, channel groups and taps into one step a cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..array.array import STEP_FLAGS
from ..cells.records import record_layout
from ..spec.config import AcceleratorConfig
from ..spec.isa import BLOCK, COMPUTE
from .walker import pixel_group_layout

__all__ = ["Stepper", "step_layout"]


def _weight_bits(config: AcceleratorConfig) -> int:
    return max(1, (config.weight_words - 1).bit_length())


def _drain_bits(config: AcceleratorConfig) -> int:
    return (config.rows * config.tile_granules * config.planes).bit_length()


def step_layout(config: AcceleratorConfig) -> data.StructLayout:
    """One step: which tap, where its words lie, what to do with the sums."""
    return data.StructLayout(
        {
            "tap": max(1, (config.taps - 1).bit_length()),
            "base": config.act_address_bits,  # activation address before the tap's offset
            "weight": _weight_bits(config),
            "pad_code": config.code_bits,
            "flags": STEP_FLAGS,
            "new_group": 1,  # the first step of a pixel group
        }
    )


class Stepper(wiring.Component):
    """Emits the steps of one COMPUTE, without an idle cycle between blocks, tiles or pixel groups as long as nothing
    stalls.

    Starts when ``run`` rises; ``fields`` must be stable while it is high. No step comes before ``go`` is high; it then
    stays so until ``run`` falls. ``step`` is valid while ``step.flags.valid``
    is high and cannot be refused. A tile's last step waits until ``drain_cycles`` have passed since the one before, so
    that the drain is never overrun. ``finished`` rises after the last step and stays until ``run`` falls. ``illegal``
    is high when a block without groups or taps has been read.

    With single-port memories no step comes while ``hold`` is high.

    ``groups`` is the pixel walker's stream; a group is taken with the first step that belongs to it
    (``step.new_group``). Blocks come from a memory that answers in one cycle.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "run": In(1),
                "go": In(1),
                "fields": In(record_layout(COMPUTE)),
                "drain_cycles": In(_drain_bits(config)),
                "groups": In(stream.Signature(pixel_group_layout(config))),
                "block_address": Out(max(1, (config.blocks - 1).bit_length())),
                "block": In(record_layout(BLOCK)),
                "step": Out(step_layout(config)),
                "finished": Out(1),
                "illegal": Out(1),
                "stall_drain": Out(1),
                "stall_walk": Out(1),
                **({"hold": In(1)} if config.memories == "single" else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two stages: jobs (one block of one tile), and the steps of a job."""
        m = Module()
        config = self._config
        fields = self.fields
        address_bits, weight_bits = config.act_address_bits, _weight_bits(config)

        # stage 1: which block of which tile comes next
        origin, channel = Signal(address_bits), Signal(address_bits)
        weight_tile = Signal(weight_bits)
        block_index = Signal(fields.first_block.shape())
        blocks_left = Signal(fields.block_count.shape())
        tiles_left = Signal(fields.column_groups.shape())
        period_left = Signal(fields.channel_period.shape())
        group_line_end, group_last = Signal(), Signal()
        in_group, issued, all_issued, started = Signal(), Signal(), Signal(), Signal()
        first_block = Signal()
        new_group = Signal()

        fetch_ready = Signal()
        fetch = Signal()
        m.d.comb += fetch.eq(in_group & fetch_ready)

        # stage 2: the block's record has arrived; stage 3: a job ready to run
        job_layout = data.StructLayout(
            {
                "base": address_bits,
                "pitch": address_bits,
                "weight": weight_bits,
                "groups": BLOCK["groups"].width,
                "first_tap": step_layout(config)["tap"].shape,
                "taps": BLOCK["tap_count"].width,
                "pad_code": config.code_bits,
                "shift": 1,
                "hold": 1,
                "first": 1,
                "last": 1,
                "new_group": 1,
            }
        )
        arrived = Signal()
        arrived_index = Signal.like(block_index)
        arrived_base, arrived_weight = Signal(address_bits), Signal(weight_bits)
        arrived_first, arrived_last, arrived_new_group = Signal(), Signal(), Signal()
        job = Signal(job_layout, reset_less=True)
        job_valid, job_taken = Signal(), Signal()
        job_ready = Signal()
        m.d.comb += [
            job_ready.eq(~job_valid | job_taken),
            fetch_ready.eq(~arrived | job_ready),
            self.block_address.eq(Mux(arrived & ~job_ready, arrived_index, block_index)),
        ]

        with m.If(~self.run):
            m.d.sync += [started.eq(0), in_group.eq(0), issued.eq(0), all_issued.eq(0)]
        with m.Elif(~started):
            m.d.sync += [started.eq(1), origin.eq(fields.origin)]
        with m.Else():
            with m.If(~in_group & ~issued & ~all_issued & self.groups.valid):
                m.d.sync += [
                    in_group.eq(1),
                    issued.eq(1),
                    new_group.eq(1),
                    first_block.eq(1),
                    group_line_end.eq(self.groups.payload.line_end),
                    group_last.eq(self.groups.payload.last),
                    block_index.eq(fields.first_block),
                    blocks_left.eq(fields.block_count - 1),
                    tiles_left.eq(fields.column_groups - 1),
                    period_left.eq(fields.channel_period - 1),
                    channel.eq(0),
                    weight_tile.eq(fields.weight_base),
                ]
            with m.If(self.groups.valid & self.groups.ready):
                m.d.sync += issued.eq(0)
            with m.If(fetch):
                m.d.sync += [
                    new_group.eq(0),
                    first_block.eq(0),
                    block_index.eq(block_index + 1),
                    blocks_left.eq(blocks_left - 1),
                ]
                with m.If(blocks_left == 0):
                    m.d.sync += [
                        first_block.eq(1),
                        block_index.eq(fields.first_block),
                        blocks_left.eq(fields.block_count - 1),
                        tiles_left.eq(tiles_left - 1),
                        weight_tile.eq(weight_tile + fields.weight_pitch),
                        period_left.eq(period_left - 1),
                    ]
                    with m.If(period_left == 0):
                        m.d.sync += [
                            period_left.eq(fields.channel_period - 1),
                            channel.eq(channel + fields.channel_step),
                        ]
                    with m.If(tiles_left == 0):
                        m.d.sync += [
                            in_group.eq(0),
                            all_issued.eq(group_last),
                            origin.eq(origin + Mux(group_line_end, fields.origin_line, fields.origin_step)),
                        ]

        with m.If(~self.run):
            m.d.sync += arrived.eq(0)
        with m.Elif(fetch_ready):
            m.d.sync += [
                arrived.eq(fetch),
                arrived_index.eq(block_index),
                arrived_base.eq(origin + channel),
                arrived_weight.eq(weight_tile),
                arrived_first.eq(first_block),
                arrived_last.eq(blocks_left == 0),
                arrived_new_group.eq(new_group),
            ]

        m.d.comb += self.illegal.eq(arrived & ((self.block.groups == 0) | (self.block.tap_count == 0)))
        with m.If(~self.run):
            m.d.sync += job_valid.eq(0)
        with m.Elif(job_ready):
            m.d.sync += [
                job_valid.eq(arrived),
                job.base.eq(arrived_base + self.block.base),
                job.pitch.eq(self.block.group_pitch),
                job.weight.eq(arrived_weight + self.block.weight_base),
                job.groups.eq(self.block.groups),
                job.first_tap.eq(self.block.first_tap),
                job.taps.eq(self.block.tap_count),
                job.pad_code.eq(self.block.pad_code),
                job.shift.eq(self.block.shift),
                job.hold.eq(self.block.hold),
                job.first.eq(arrived_first),
                job.last.eq(arrived_last),
                job.new_group.eq(arrived_new_group),
            ]

        # stage 4: the steps of the running job
        running = Signal()
        current = Signal(job_layout, reset_less=True)
        taps_left, groups_left = Signal(BLOCK["tap_count"].width), Signal(BLOCK["groups"].width)
        tap = Signal.like(current.first_tap)
        fresh = Signal()
        drain_left = Signal(_drain_bits(config))
        # whether the counters are at 0, known a cycle ahead: much hangs on a step's being the last
        last_tap, last_group, draining = Signal(init=1), Signal(init=1), Signal()
        gone = Signal()
        m.d.sync += gone.eq(self.run & self.go)
        last_step, stall, emit = Signal(), Signal(), Signal()
        m.d.comb += [
            last_step.eq(current.last & last_tap & last_group),
            stall.eq((last_step & draining) | (self.hold if config.memories == "single" else 0)),
            emit.eq(running & ~stall),
            job_taken.eq(job_valid & self.go & (~running | (emit & last_tap & last_group))),
            self.stall_drain.eq(running & stall),
            self.stall_walk.eq(gone & ~running & ~in_group & started & ~all_issued),
        ]
        m.d.comb += [
            self.step.tap.eq(tap),
            self.step.base.eq(current.base),
            self.step.weight.eq(current.weight),
            self.step.pad_code.eq(current.pad_code),
            self.step.flags.valid.eq(emit),
            self.step.flags.first.eq(current.first & fresh),
            self.step.flags.shift.eq(current.shift & fresh),
            self.step.flags.last.eq(last_step),
            self.step.new_group.eq(current.new_group & fresh),
            self.groups.ready.eq(emit & current.new_group & fresh),
        ]
        with m.If(draining):
            m.d.sync += [drain_left.eq(drain_left - 1), draining.eq(drain_left != 1)]
        with m.If(~self.run):
            m.d.sync += [running.eq(0), draining.eq(0)]
        with m.Else():
            with m.If(emit):
                m.d.sync += [fresh.eq(0), taps_left.eq(taps_left - 1), last_tap.eq(taps_left == 1), tap.eq(tap + 1)]
                with m.If(~current.hold | last_tap):
                    m.d.sync += current.weight.eq(current.weight + 1)
                with m.If(last_tap):
                    m.d.sync += [
                        tap.eq(current.first_tap),
                        taps_left.eq(current.taps - 1),
                        last_tap.eq(current.taps == 1),
                        groups_left.eq(groups_left - 1),
                        last_group.eq(groups_left == 1),
                        current.base.eq(current.base + current.pitch),
                    ]
                    with m.If(last_group):
                        m.d.sync += running.eq(0)
                with m.If(last_step):
                    m.d.sync += [drain_left.eq(self.drain_cycles - 1), draining.eq(self.drain_cycles != 1)]
            with m.If(job_taken):
                m.d.sync += [
                    running.eq(1),
                    current.eq(job),
                    fresh.eq(1),
                    tap.eq(job.first_tap),
                    taps_left.eq(job.taps - 1),
                    last_tap.eq(job.taps == 1),
                    groups_left.eq(job.groups - 1),
                    last_group.eq(job.groups == 1),
                ]
        m.d.comb += self.finished.eq(all_issued & ~arrived & ~job_valid & ~running)
        return m
