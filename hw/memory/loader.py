"""Loader: executes a LOAD, from read bursts on the bus to words in the on-chip memories."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.isa import Opcode
from ..spec.registers import Region, region_stride
from ..spec.transfer import MEMORIES, OUTSTANDING, words_per_beat
from .axi4 import INCREMENT, OKAY, Axi4Read, BurstWalker
from .job_words import JobWords, line_bytes
from .piece_write import PieceWrite
from .transfer_queue import job_layout

__all__ = ["Loader"]


class Loader(wiring.Component):
    """Executes ``job`` while ``run`` is high; ``finished`` rises when its last word is in memory.

    Words leave piece by piece on the port of their memory, one piece a cycle if that is ready. ``outside`` is high
    where the job leaves the window, ``bus_error`` for a cycle when the bus answers with an error. When ``run`` falls
    before its time, what the bus still answers is thrown away; ``settled`` is high when nothing is under way: only
    then may ``run`` rise.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
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
                "bus": Out(Axi4Read(data_width=config.bus_bits)),
                "weights": Out(PieceWrite(config)),
                "params": Out(PieceWrite(config)),
                "activations": Out(PieceWrite(config)),
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
            walker.base.eq(self.base),
            walker.limit.eq(self.limit),
            self.outside.eq(walker.outside),
            bus.arvalid.eq(walker.bursts.valid & (outstanding != OUTSTANDING)),
            walker.bursts.ready.eq(asked),
            bus.araddr.eq(walker.bursts.payload.address),
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

        m.submodules.words = words = JobWords(config, Opcode.LOAD)
        ports = {Region.WEIGHTS: self.weights, Region.PARAMS: self.params, Region.ACTIVATIONS: self.activations}
        write, granted = Signal(), Signal()
        m.d.comb += write.eq(self.run & beat_valid & ~words.done)
        for region in MEMORIES[Opcode.LOAD]:
            count, stride, port = words_per_beat(config, region), region_stride(config, region), ports[region]
            place = words.place[: count.bit_length() - 1]
            m.d.comb += [
                port.word.eq(words.word),
                port.piece.eq(words.piece),
                port.data.eq(beat.word_select(place, 8 * stride) if count > 1 else beat),
            ]
            with m.If(job.memory == region):
                m.d.comb += [port.valid.eq(write), granted.eq(write & port.ready)]
        m.d.comb += [
            words.run.eq(begun),
            words.job.eq(job),
            words.step.eq(granted),
            consume.eq(granted & (words.last_place | words.line_end)),
            self.finished.eq(begun & words.done),
        ]
        m.d.comb += self.settled.eq((outstanding == 0) & ~walker.busy & ~beat_valid)
        return m
