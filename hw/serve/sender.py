"""AnswerSender: levels of a tensor, read from the activation memory and given as a stream of bytes."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..cells.interfaces import HOST_WRITE, STREAM_BYTE
from ..cells.records import record_layout
from ..spec.answer import ANSWER, AnswerKind
from ..spec.config import AcceleratorConfig
from ..spec.formats import Format
from ..spec.pipeline import pipeline
from ..spec.registers import REGION_BITS, Region, region_beats

__all__ = ["AnswerSender"]

_LEVEL_BITS = 16


class AnswerSender(wiring.Component):
    """``go`` begins an answer, in any cycle without ``busy``, which is high from the next cycle until its last byte is
    taken; with ``failed`` it is the answer of one byte that stands for none. ``reading`` is high where the activation
    memory has to show the beat of ``offset`` at ``beat``, `Pipeline.activation_read` later; nobody may write there
    meanwhile, but all is read where ``reading`` is low again. ``size`` is that of a frame (`FrameReceiver`).

    Takes `Pipeline.activation_read` + 2 cycles for each digit of a level, one more for each level, and one for each
    byte, if that is taken at once.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "host": In(HOST_WRITE),
                "size": Out((config.frame_bytes - 1).bit_length()),
                "go": In(1),
                "failed": In(1),
                "busy": Out(1),
                "reading": Out(1),
                "offset": Out(REGION_BITS - 2),
                "beat": In(32),
                "bytes": Out(stream.Signature(STREAM_BYTE)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One word address; a level is gathered from its digits, the top one first."""
        m = Module()
        config = self._config
        shape = self._shape(m)
        address_bits, lanes_log2 = config.act_address_bits, (config.lanes - 1).bit_length()
        address, group, pixel = (Signal(address_bits, name=name) for name in ("address", "group", "pixel"))
        channel, column, line = (Signal(16, name=name) for name in ("channel", "column", "line"))
        plane, value = Signal(range(config.planes + 1)), Signal(_LEVEL_BITS)
        place, best, best_place = Signal(16), Signal(_LEVEL_BITS), Signal(16)
        first, high, failed = Signal(), Signal(), Signal()
        wait = Signal(range(pipeline(config).activation_read + 2))
        beats_log2 = (region_beats(config, Region.ACTIVATIONS) - 1).bit_length()
        codes_log2 = (32 // config.code_bits - 1).bit_length()
        lane = channel[:lanes_log2]
        beat = lane[codes_log2:] if beats_log2 else Const(0, 0)
        in_beat = [
            self.beat[at * config.code_bits :][: config.digits.base.bits]
            for at in range(min(config.lanes, 1 << codes_log2))
        ]
        digit = Signal(_LEVEL_BITS)
        by_place = shape.kind == AnswerKind.PLACE
        last_channel, last_column, last_line = Signal(), Signal(), Signal()
        number = Mux(by_place, best_place, value)
        m.d.comb += [
            self.size.eq(shape.frame),
            self.offset.eq(Cat(beat[:beats_log2], address)),
            digit.eq(_level(config.digits.base, Array(in_beat)[lane[:codes_log2]])),
            last_channel.eq(channel == shape.channels),
            last_column.eq(column == shape.columns),
            last_line.eq(line == shape.lines),
            self.bytes.payload.byte.eq(Mux(high, number[8:], number[:8]) & ~failed.replicate(8)),
            self.bytes.payload.error.eq(failed),
        ]
        ended = Signal()
        with m.FSM() as states:
            with m.State("idle"):
                m.d.sync += [
                    address.eq(shape.word),
                    group.eq(shape.word),
                    pixel.eq(shape.word),
                    *(signal.eq(0) for signal in (channel, column, line, plane, value, place, wait, high, ended)),
                    first.eq(1),
                    failed.eq(self.failed),
                ]
                with m.If(self.go):
                    m.next = "begin"
            with m.State("begin"):
                with m.If(failed):
                    m.d.sync += ended.eq(1)
                    m.next = "send"
                with m.Else():
                    m.next = "read"
            with m.State("read"):
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait == pipeline(config).activation_read):
                    m.next = "gather"
            with m.State("gather"):  # the beat is there
                m.d.sync += [
                    wait.eq(0),
                    value.eq((value << config.digits.shift) + digit),
                    plane.eq(plane + 1),
                    address.eq(address + shape.plane),
                ]
                m.next = "read"
                with m.If(plane == shape.planes):
                    m.next = "step"
            with m.State("step"):  # a level is there: on to the next one's word, and what becomes of this one
                m.d.sync += [plane.eq(0), place.eq(place + 1), first.eq(0), channel.eq(channel + 1)]
                with m.If(last_channel):
                    m.d.sync += [channel.eq(0), column.eq(column + 1)]
                    with m.If(last_column):
                        m.d.sync += [column.eq(0), line.eq(line + 1)]
                with m.If(first | (value.as_signed() > best.as_signed())):
                    m.d.sync += [best.eq(value), best_place.eq(place)]
                across = Mux(last_column, shape.line, shape.pixel)
                to_pixel = Signal(address_bits)
                m.d.comb += to_pixel.eq(pixel + across)
                with m.If(last_channel):
                    m.d.sync += [address.eq(to_pixel), group.eq(to_pixel), pixel.eq(to_pixel)]
                with m.Elif(lane.all()):
                    m.d.sync += [address.eq(group + shape.group), group.eq(group + shape.group)]
                with m.Else():
                    m.d.sync += address.eq(group)
                m.d.sync += ended.eq(last_channel & last_column & last_line)
                m.next = "send"
                with m.If(by_place & ~(last_channel & last_column & last_line)):
                    m.d.sync += value.eq(0)
                    m.next = "read"
            with m.State("send"):
                more = (shape.kind != AnswerKind.BYTES) & ~high & ~failed
                m.d.comb += [self.bytes.valid.eq(1), self.bytes.payload.last.eq(ended & ~more)]
                with m.If(self.bytes.ready):
                    m.d.sync += high.eq(more)
                    with m.If(~more):
                        m.d.sync += value.eq(0)
                        m.next = "read"
                        with m.If(ended):
                            m.next = "idle"
        m.d.comb += [
            self.busy.eq(~states.ongoing("idle")),
            self.reading.eq(self.busy & ~ended & ~failed),
        ]
        return m

    def _shape(self, m: Module) -> data.View:
        """Registers of `ANSWER`; only bits that something reads stay."""
        words = Signal(32 * ANSWER.words, reset_less=True)
        for beat in range(ANSWER.words):
            with m.If(self.host.enable & (self.host.offset == beat)):
                m.d.sync += words[32 * beat : 32 * (beat + 1)].eq(self.host.data)
        return data.View(record_layout(ANSWER), words)


def _level(base: Format, code: Value) -> Value:
    """Level of a code, in two's complement."""
    magnitude, negative = code[:-1], code[-1]
    if base.octaves:
        magnitude = Array(Const(level, base.top.bit_length()) for level in base.magnitudes)[magnitude]
    elif base.whole:  # the code of minus zero is the lowest level
        magnitude = Cat(magnitude, negative & (magnitude == 0))
    return Mux(negative, -magnitude, magnitude)
