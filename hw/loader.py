"""Loader: executes a LOAD, from read bursts on the bus to words in the on-chip memories."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi4 import INCREMENT, OKAY, BurstWalker, read_ports
from .spec.config import AcceleratorConfig
from .spec.isa import Opcode
from .spec.registers import Region, region_stride
from .spec.transfer import MEMORIES, OUTSTANDING, pieces_per_word, words_per_beat
from .transfer_queue import job_layout

__all__ = ["Loader", "line_bytes"]


def line_bytes(config: AcceleratorConfig, memory: Value, count: Value, opcode: Opcode) -> Value:
    """``count`` times the bytes that a word of a memory takes in the window."""
    strides = {region: region_stride(config, region).bit_length() - 1 for region in MEMORIES[opcode]}
    total: Value = Const(0, 32)
    for region, stride in strides.items():
        total = Mux(memory == region, count << stride, total)
    return total


class Loader(wiring.Component):
    """Executes ``job`` while ``run`` is high; ``finished`` rises when its last word is in memory.

    Words leave piece by piece, a piece being a beat, or a word where a beat holds several: ``word`` and ``piece`` say
    where ``data`` belongs, ``write_weight``, ``write_param`` or ``write_act`` to which memory; ``act_ready`` holds back
    a piece for the activation memory. One piece a cycle. ``outside`` is high where the job leaves the window,
    ``bus_error`` for a cycle when the bus answers with an error. When ``run`` falls before its time, what the bus still
    answers is thrown away; ``settled`` is high when nothing is under way.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._pieces = max(pieces_per_word(config, region) for region in MEMORIES[Opcode.LOAD])
        super().__init__(
            {
                "run": In(1),
                "job": In(job_layout(config)),
                "base": In(32),
                "limit": In(32),
                "finished": Out(1),
                "settled": Out(1),
                "outside": Out(1),
                "bus_error": Out(1),
                "bus": Out(wiring.Signature(read_ports(config))),
                "write_weight": Out(1),
                "write_param": Out(1),
                "write_act": Out(1),
                "act_ready": In(1),
                "word": Out(16),
                "piece": Out(range(max(self._pieces, 2))),
                "data": Out(config.bus_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Bursts out on one side, beats in on the other."""
        m = Module()
        config, job, bus = self._config, self.job, self.bus
        m.submodules.walker = walker = BurstWalker(config)
        begun = Signal()
        m.d.sync += begun.eq(self.run)
        outstanding = Signal(range(OUTSTANDING + 1))
        asked, answered = Signal(), Signal()
        m.d.comb += [
            asked.eq(bus.arvalid & bus.arready),
            answered.eq(bus.rvalid & bus.rready & bus.rlast),
            walker.start.eq(self.run & ~begun),
            walker.cancel.eq(~self.run),
            walker.external.eq(job.external),
            walker.external_pitch.eq(job.external_pitch),
            walker.lines.eq(job.lines),
            walker.line_bytes.eq(line_bytes(config, job.memory, job.count, Opcode.LOAD)),
            walker.limit.eq(self.limit),
            self.outside.eq(walker.outside),
            bus.arvalid.eq(walker.bursts.valid & (outstanding != OUTSTANDING)),
            walker.bursts.ready.eq(asked),
            bus.araddr.eq(self.base + walker.bursts.payload.address),
            bus.arlen.eq(walker.bursts.payload.length),
            bus.arsize.eq(config.bus_bytes.bit_length() - 1),
            bus.arburst.eq(INCREMENT),
            bus.arcache.eq(0b0011),  # a memory's, which may be buffered and split as the bus likes
        ]
        m.d.sync += outstanding.eq(outstanding + asked - answered)

        beat, beat_valid = Signal(config.bus_bits), Signal()
        consume = Signal()
        m.d.comb += [
            bus.rready.eq(~self.run | ~beat_valid | consume),
            self.bus_error.eq(self.run & bus.rvalid & bus.rready & (bus.rresp != OKAY)),
        ]
        with m.If(self.run & bus.rvalid & bus.rready):
            m.d.sync += [beat.eq(bus.rdata), beat_valid.eq(1)]
        with m.Elif(~self.run | consume):
            m.d.sync += beat_valid.eq(0)

        regions = MEMORIES[Opcode.LOAD]
        writes = {
            Region.WEIGHTS: self.write_weight,
            Region.PARAMS: self.write_param,
            Region.ACTIVATIONS: self.write_act,
        }
        line_word, words_left, lines_left = Signal(16), Signal(16), Signal(16)
        line_low = Signal(max(1, config.bus_bytes.bit_length() - 1))  # where in a beat the line begins, in bytes
        sub, first_sub = Signal(2), Signal(2)
        last_sub, last_piece = Signal(), Signal()
        line_start = Signal()
        write, done = Signal(), Signal()
        m.d.comb += [write.eq(self.run & beat_valid & ~done), self.data.eq(beat)]
        for region in regions:
            count, pieces = words_per_beat(config, region), pieces_per_word(config, region)
            with m.If(job.memory == region):
                m.d.comb += [
                    writes[region].eq(write),
                    last_sub.eq(current_sub(sub, first_sub, line_start) == count - 1),
                    last_piece.eq(self.piece == pieces - 1),
                ]
                if count > 1:
                    stride = region_stride(config, region)
                    m.d.comb += [
                        first_sub.eq(line_low >> (stride.bit_length() - 1)),
                        self.data.eq(
                            beat.word_select(
                                current_sub(sub, first_sub, line_start)[: count.bit_length() - 1], 8 * stride
                            )
                        ),
                    ]
        granted, word_done, line_done = Signal(), Signal(), Signal()
        m.d.comb += [
            granted.eq(write & (~self.write_act | self.act_ready)),
            word_done.eq(granted & last_piece),
            line_done.eq(word_done & (words_left == 1)),
            consume.eq(granted & (last_sub | line_done)),
            self.finished.eq(begun & done),
        ]
        with m.If(granted):
            m.d.sync += [self.piece.eq(self.piece + 1), sub.eq(current_sub(sub, first_sub, line_start) + 1)]
            m.d.sync += line_start.eq(0)
            with m.If(last_sub):
                m.d.sync += sub.eq(0)
        with m.If(word_done):
            m.d.sync += [self.piece.eq(0), self.word.eq(self.word + 1), words_left.eq(words_left - 1)]
        with m.If(line_done):
            m.d.sync += [
                line_word.eq(line_word + job.pitch),
                self.word.eq(line_word + job.pitch),
                words_left.eq(job.count),
                lines_left.eq(lines_left - 1),
                line_low.eq(line_low + job.external_pitch),
                line_start.eq(1),
                done.eq(lines_left == 1),
            ]
        with m.If(~begun):
            m.d.sync += [
                line_word.eq(job.address),
                self.word.eq(job.address),
                self.piece.eq(0),
                words_left.eq(job.count),
                lines_left.eq(job.lines),
                line_low.eq(job.external),
                line_start.eq(1),
                done.eq(0),
            ]
        m.d.comb += self.settled.eq((outstanding == 0) & ~walker.busy & ~beat_valid)
        return m


def current_sub(sub: Signal, first: Signal, line_start: Signal) -> Value:
    """Word of the beat that is next: a line's first beat may begin with words that do not belong to it."""
    return Mux(line_start, first, sub)[: len(sub)]
