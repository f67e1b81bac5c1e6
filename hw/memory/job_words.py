"""JobWords: walks the words of a LOAD or STORE in an on-chip memory, line by line, and where in a beat each belongs."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.isa import Opcode
from ..spec.registers import region_stride
from ..spec.transfer import MEMORIES, pieces_per_word, words_per_beat
from .transfer_queue import job_layout

__all__ = ["JobWords", "line_bytes"]


def line_bytes(config: AcceleratorConfig, memory: Value, count: Value, opcode: Opcode) -> Value:
    """``count`` times the bytes that a word of a memory takes in the window."""
    strides = {region: region_stride(config, region).bit_length() - 1 for region in MEMORIES[opcode]}
    total: Value = Const(0, 32)
    for region, stride in strides.items():
        total = Mux(memory == region, count << stride, total)
    return total


class JobWords(wiring.Component):
    """While ``run`` is low it is set to the first piece of ``job``; each cycle in which ``step`` is high moves it on.

    A piece is a beat, or a word where a beat holds several. ``word`` is the word's address, ``piece`` which piece of
    it, ``place`` which word of the beat: a line's first beat may begin with words that do not belong to it.
    ``last_place`` and ``last_piece`` say that beat or word end with this piece, ``line_end`` that the line does.
    ``done`` rises behind the last piece.

    Parameters
    ----------
    config : AcceleratorConfig
    opcode : Opcode
        LOAD or STORE, which says what memories there are.
    """

    def __init__(self, config: AcceleratorConfig, opcode: Opcode) -> None:
        self._config = config
        self._regions = MEMORIES[opcode]
        pieces = max(pieces_per_word(config, region) for region in self._regions)
        super().__init__(
            {
                "run": In(1),
                "job": In(job_layout(config)),
                "step": In(1),
                "word": Out(16),
                "piece": Out(range(max(pieces, 2))),
                "place": Out(2),
                "last_place": Out(1),
                "last_piece": Out(1),
                "line_end": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Counters of pieces, words and lines."""
        m = Module()
        config, job = self._config, self.job
        line_word, words_left, lines_left = Signal(16), Signal(16), Signal(16)
        line_low = Signal(max(1, config.bus_bytes.bit_length() - 1))  # where in a beat the line begins, in bytes
        following, first, line_start = Signal(2), Signal(2), Signal()
        for region in self._regions:
            count, pieces = words_per_beat(config, region), pieces_per_word(config, region)
            with m.If((job.memory == region) if len(self._regions) > 1 else Const(1)):
                m.d.comb += [self.last_place.eq(self.place == count - 1), self.last_piece.eq(self.piece == pieces - 1)]
                if count > 1:
                    m.d.comb += first.eq(line_low >> (region_stride(config, region).bit_length() - 1))
        m.d.comb += [
            self.place.eq(Mux(line_start, first, following)),
            self.line_end.eq(self.last_piece & (words_left == 1)),
        ]
        with m.If(self.step):
            m.d.sync += [self.piece.eq(self.piece + 1), following.eq(self.place + 1), line_start.eq(0)]
            with m.If(self.last_place):
                m.d.sync += following.eq(0)
            with m.If(self.last_piece):
                m.d.sync += [self.piece.eq(0), self.word.eq(self.word + 1), words_left.eq(words_left - 1)]
            with m.If(self.line_end):
                m.d.sync += [
                    line_word.eq(line_word + job.pitch),
                    self.word.eq(line_word + job.pitch),
                    words_left.eq(job.count),
                    lines_left.eq(lines_left - 1),
                    line_low.eq(line_low + job.external_pitch),
                    line_start.eq(1),
                    self.done.eq(lines_left == 1),
                ]
        with m.If(~self.run):
            m.d.sync += [
                line_word.eq(job.address),
                self.word.eq(job.address),
                self.piece.eq(0),
                words_left.eq(job.count),
                lines_left.eq(job.lines),
                line_low.eq(job.external),
                line_start.eq(1),
                self.done.eq(0),
            ]
        return m
