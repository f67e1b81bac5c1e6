"""Storer: executes a STORE, from words in the activation memory to write bursts on the bus."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out

from ..cells.checks import CHECK
from ..cells.delay_line import delayed
from ..cells.interfaces import MemoryRead
from ..spec.config import AcceleratorConfig
from ..spec.isa import Opcode
from ..spec.registers import Region, region_stride
from ..spec.transfer import OUTSTANDING, pieces_per_word, words_per_beat
from .axi4 import INCREMENT, OKAY, Axi4Write, BurstWalker
from .job_words import JobWords, line_bytes
from .transfer_queue import job_layout

__all__ = ["Storer"]

_FIFO_BEATS = 16


class Storer(wiring.Component):
    """Executes ``job`` while ``run`` is high; ``finished`` rises when the bus has acknowledged its last write.

    What it reads through ``words`` is there in the next cycle. ``outside``, ``bus_error`` and ``settled`` as `Loader`
    has them; when ``run`` falls before its time, a burst that has begun is ended with beats that write nothing.
    ``check`` is that of a word that it read, two cycles later.

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
                "bus": Out(Axi4Write(data_width=config.bus_bits)),
                "words": Out(MemoryRead(config.act_address_bits, config.act_word_bits, int(config.is_protected))),
                **({"check": Out(CHECK)} if config.is_protected else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Words into beats, beats into a FIFO, the FIFO into bursts."""
        m = Module()
        config, job = self._config, self.job
        m.submodules.walker = walker = BurstWalker(config)
        beat_layout = data.StructLayout({"data": config.bus_bits, "strobe": config.bus_bytes})
        m.submodules.beats = beats = fifo.SyncFIFOBuffered(width=beat_layout.size, depth=_FIFO_BEATS)
        begun = Signal()
        m.d.sync += begun.eq(self.run)
        m.d.comb += [
            walker.start.eq(self.run & ~begun),
            walker.cancel.eq(~self.run),
            walker.external.eq(job.external),
            walker.external_pitch.eq(job.external_pitch),
            walker.lines.eq(job.lines),
            walker.line_bytes.eq(line_bytes(config, job.memory, job.count, Opcode.STORE)),
            walker.base.eq(self.base),
            walker.limit.eq(self.limit),
            self.outside.eq(walker.outside),
        ]
        self._read_words(m, begun, beats)
        self._write_beats(m, begun, walker, beats, data.View(beat_layout, beats.r_data))
        return m

    def _read_words(self, m: Module, begun: Signal, beats: fifo.SyncFIFOBuffered) -> None:
        """Ask for words, put them side by side into beats."""
        config, job = self._config, self.job
        stride = region_stride(config, Region.ACTIVATIONS)
        per_beat = words_per_beat(config, Region.ACTIVATIONS)
        pieces = pieces_per_word(config, Region.ACTIVATIONS)
        m.submodules.words = words = JobWords(config, Opcode.STORE)
        accepted = Signal()
        room = Signal()  # a cycle late: for those of three cycles
        m.d.sync += room.eq(beats.level < _FIFO_BEATS - 2)
        m.d.comb += [
            words.run.eq(begun),
            words.job.eq(job),
            words.step.eq(accepted),
            self.words.address.eq(words.word),
            self.words.valid.eq(self.run & begun & ~words.done & room),
            accepted.eq(self.words.valid & self.words.ready),
        ]
        arrived, piece_1, place_1, end_1 = Signal(), Signal.like(words.piece), Signal(2), Signal()
        m.d.sync += [
            arrived.eq(accepted),
            piece_1.eq(words.piece),
            place_1.eq(words.place),
            end_1.eq(words.line_end),
        ]
        if config.is_protected:
            judged = delayed(m, arrived, 1, "judged", reset_less=False) & self.run
            m.d.comb += self.check.eq(Mux(judged, self.words.checks[0].as_value(), 0))
        gathered, strobe = Signal(config.bus_bits), Signal(config.bus_bytes)
        now, now_strobe = Signal.like(gathered), Signal.like(strobe)
        container = Signal(8 * stride)
        m.d.comb += [container.eq(self.words.data), now.eq(gathered), now_strobe.eq(strobe)]
        if per_beat > 1:
            place = place_1[: per_beat.bit_length() - 1]
            m.d.comb += [
                now.word_select(place, 8 * stride).eq(container),
                now_strobe.word_select(place, stride).eq(-1),
            ]
        else:
            m.d.comb += [
                now.eq(container.word_select(piece_1, config.bus_bits) if pieces > 1 else container),
                now_strobe.eq(-1),
            ]
        whole = Signal()
        m.d.comb += [
            whole.eq(arrived & (end_1 | (place_1 == per_beat - 1))),
            beats.w_en.eq(whole & self.run),
            beats.w_data.eq(Cat(now, now_strobe)),
        ]
        with m.If(arrived):
            m.d.sync += [gathered.eq(now), strobe.eq(now_strobe)]
        with m.If(whole | ~begun):
            m.d.sync += strobe.eq(0)

    def _write_beats(
        self, m: Module, begun: Signal, walker: BurstWalker, beats: fifo.SyncFIFOBuffered, beat: data.View
    ) -> None:
        """A burst's beats follow each other whether its address has been taken or not: a slave may wait for both. They
        wait for the address only where they would be a burst ahead of it. Acknowledgements are only counted."""
        config, bus = self._config, self.bus
        outstanding = Signal(range(OUTSTANDING + 1))
        asked, answered = Signal(), Signal()
        beats_left = Signal(8)
        idle, moved = Signal(), Signal()
        ahead = Signal()  # the beats of the burst on offer have begun
        m.d.comb += [
            asked.eq(bus.awvalid & bus.awready),
            answered.eq(bus.bvalid & bus.bready),
            walker.bursts.ready.eq(asked),
            bus.awvalid.eq(walker.bursts.valid & (outstanding != OUTSTANDING) & (idle | ahead)),
            bus.awaddr.eq(walker.bursts.payload.address),
            bus.awlen.eq(walker.bursts.payload.length),
            bus.awsize.eq(config.bus_bytes.bit_length() - 1),
            bus.awburst.eq(INCREMENT),
            bus.awcache.eq(0b0011),
            bus.bready.eq(1),
            self.bus_error.eq(self.run & answered & (bus.bresp != OKAY)),
        ]
        m.d.sync += outstanding.eq(outstanding + asked - answered)
        with m.If(bus.wready):
            m.d.sync += bus.wvalid.eq(0)
        with m.If(asked):
            m.d.sync += ahead.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += idle.eq(1)
                m.d.sync += beats_left.eq(walker.bursts.payload.length)
                with m.If(bus.awvalid & ~ahead):
                    m.d.sync += ahead.eq(~asked)
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += moved.eq((~bus.wvalid | bus.wready) & (beats.r_rdy | ~self.run))
                with m.If(moved):
                    m.d.sync += [
                        bus.wvalid.eq(1),
                        bus.wdata.eq(beat.data),
                        bus.wstrb.eq(Mux(self.run, beat.strobe, 0)),
                        bus.wlast.eq(beats_left == 0),
                        beats_left.eq(beats_left - 1),
                    ]
                    with m.If(beats_left == 0):
                        m.next = "IDLE"
        m.d.comb += [
            beats.r_en.eq(moved | ~self.run),
            self.finished.eq(begun & ~walker.busy & idle & ~bus.wvalid & (outstanding == 0)),
            self.settled.eq(~walker.busy & idle & ~bus.wvalid & (outstanding == 0) & ~beats.r_rdy),
        ]
