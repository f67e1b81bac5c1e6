"""SerialLink: frames of the serial link on one side, accesses to a bus on the other."""

from __future__ import annotations

import enum
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed
from ..memory.scratchpad import Scratchpad
from ..spec.config import AcceleratorConfig
from ..spec.link import (
    CRC_BYTES,
    FRAME_BLOCK_WORDS,
    HEADER_BYTES,
    MAX_WORDS,
    REPLY_HEAD_BYTES,
    REPLY_START,
    REQUEST_START,
    Command,
    LinkStatus,
    hello_words,
)
from ..spec.pipeline import pipeline
from ..spec.registers import ADDRESS_BITS, REGION_BITS, Region

__all__ = ["BYTE_CYCLES", "LEAD_CYCLES", "SerialLink"]

BYTE_CYCLES = 16
"""Fewest cycles from a byte of a frame to the next one: the checksum takes 8, what is decided of a byte 4 at most."""

LEAD_CYCLES = HEADER_BYTES
"""Fewest cycles from the first of a request to its first access."""

_HEADER = data.StructLayout(
    {"sequence": 8, "command": 8, "count": 8, "low": 2, "address": ADDRESS_BITS - 2, "high": 32 - ADDRESS_BITS}
)


class _Phase(enum.Enum):
    """Part of a reply that is being sent."""

    HEAD = 0
    WORD = 1
    STATUS = 2
    CRC = 3


class SerialLink(wiring.Component):
    """Requests come in as ``rx_*`` bytes (`UartReceiver`, `SpiPeripheral`), replies go out as ``tx_*`` bytes, the words
    of bursts go over a bus, as a Wishbone classic master: ``stb`` (which is ``cyc``, too) stays high until ``ack`` or
    ``err``. Bytes either way need at least `BYTE_CYCLES` cycles each.

    A request is carried out only once it is here whole and its checksum is right. One that is not is dropped without an
    answer; then a request can begin after a gap. A WRITE with the sequence number of the request before is answered
    again, but not carried out again. What arrives during a reply is lost, unless it is kept waiting.

    ``active`` is high from the first byte of a request, for `LEAD_CYCLES` at least before ``stb`` is, until nothing
    more is to come of it.

    Only the words of a FRAME, of which there are more than the link can keep, are written as they come: nothing sees
    them before the host asks for the frame to be laid out.

    Parameters
    ----------
    config : AcceleratorConfig
    gap : int or None
        Ticks without ``rx_active`` that end a frame which does not go on. None: it ends at once where ``rx_active`` is
        low, and so does a reply.
    flow : bool
        Whether bytes can wait: then ``rx_ready`` is high while one would be taken, and ``tx_last`` with a reply's last.
    """

    def __init__(self, config: AcceleratorConfig, *, gap: int | None, flow: bool = False) -> None:
        self._config, self._gap, self._flow = config, gap, flow
        super().__init__(
            {
                "rx_data": In(8),
                "rx_valid": In(1),
                "rx_broken": In(1),
                "rx_active": In(1),
                "tx_data": Out(8),
                "tx_valid": Out(1),
                "tx_ready": In(1),
                "tick": In(1),
                "stb": Out(1),
                "we": Out(1),
                "adr": Out(ADDRESS_BITS - 2),
                "dat_w": Out(32),
                "dat_r": In(32),
                "ack": In(1),
                "err": In(1),
                "active": Out(1),
            }
            | ({"rx_ready": Out(1), "tx_last": Out(1)} if flow else {})
        )

    def elaborate(self, platform: object) -> Module:
        """Receive, check, carry out, reply."""
        m = Module()
        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(data_width=1).create()
        m.submodules.buffer = buffer = Scratchpad(
            depth=MAX_WORDS, width=32, granule=32, read_cycles=pipeline(self._config).link_read
        )

        late = pipeline(self._config).link_byte
        rx_data, rx_valid, rx_broken, rx_active = (
            delayed(m, value, late, name, reset_less=False)
            for name, value in (
                ("rx_data", self.rx_data),
                ("rx_valid", self.rx_valid),
                ("rx_broken", self.rx_broken),
                ("rx_active", self.rx_active),
            )
        )

        header = Signal(_HEADER)
        word = Signal(32)  # what comes in or goes out byte by byte
        left = Signal(range(HEADER_BYTES + 1))  # bytes until the part of the frame ends
        index = Signal(range(MAX_WORDS + 1))
        words = Signal(range(MAX_WORDS + 1))  # of the reply
        phase = Signal(_Phase)
        status = Signal(LinkStatus)
        is_open, last = Signal(), Signal(8)
        # a byte goes through the checksum bit by bit: there is time until the next one
        summed, summed_bits = Signal(8), Signal(range(9))
        add_byte, added = Signal(), Signal(8)
        with m.If(add_byte):
            m.d.sync += [summed.eq(added), summed_bits.eq(8)]
        with m.Elif(summed_bits != 0):
            m.d.sync += [summed.eq(summed >> 1), summed_bits.eq(summed_bits - 1)]
        m.d.comb += [crc.valid.eq(summed_bits != 0), crc.data.eq(summed[0])]
        expired, ends, final, all_sent, stores = Signal(), Signal(), Signal(), Signal(), Signal()
        # what decides about a request, from registers: a checksum is long, and there is time
        settled, matched, repeated, aligned = Signal(), Signal(), Signal(), Signal()
        sized, is_hello, is_read, is_write = Signal(), Signal(), Signal(), Signal()
        is_frame, to_frame, passing = Signal(), Signal(), Signal()
        block_log2 = (FRAME_BLOCK_WORDS - 1).bit_length()
        few = header.count <= MAX_WORDS
        if self._config.frame_bytes:
            few = few | (header.command == Command.FRAME)
            m.d.sync += [
                is_frame.eq(header.command == Command.FRAME),
                to_frame.eq(aligned & (header.address[REGION_BITS - 2 :] == Region.FRAME)),
            ]
        m.d.sync += [
            final.eq(index + 1 == header.count),
            all_sent.eq(index == words),
            sized.eq((header.count != 0) & few),
            is_hello.eq(header.command == Command.HELLO),
            is_read.eq(header.command == Command.READ),
            is_write.eq(header.command == Command.WRITE),
            settled.eq(summed_bits == 0),
            matched.eq(crc.match_detected),
            repeated.eq(is_open & (header.sequence == last) & is_write),
            aligned.eq(~(header.low.any() | header.high.any())),
        ]

        if self._gap is None:
            m.d.comb += expired.eq(~rx_active)
        else:
            silence = Signal(range(self._gap))
            m.d.comb += expired.eq(self.tick & (silence == self._gap - 1) & ~rx_active)
            with m.If(rx_active):
                m.d.sync += silence.eq(0)
            with m.Elif(self.tick):
                m.d.sync += silence.eq(silence + 1)
        table = Array(Const(value, 32) for value in hello_words(self._config))
        greeting = delayed(m, Mux(index < len(table), table[index], 0), late, "greeting")  # long before it is asked for
        m.d.comb += [
            ends.eq(left == 1),
            buffer.read_address.eq(index),
            buffer.write_address.eq(delayed(m, index, late, "store_index")),
            buffer.write_enable.eq(delayed(m, stores, late, "stores", reset_less=False)),
            buffer.write_data.eq(word),
            self.adr.eq(header.address),
            self.dat_w.eq(Mux(passing, word, buffer.read_data)),
            self.tx_data.eq(word),
        ]

        # what goes into the word next, perhaps a cycle late, for many states have a say: each has a flag, and a value
        # that is the same in the cycle after; when a byte goes out is for the transmitter to say
        puts: list[tuple[Signal, Value]] = []
        putting = Signal()
        rx_before = delayed(m, rx_data, late, "rx_before")
        fetched = delayed(m, Mux(self.err, 0, self.dat_r), late, "fetched")

        def put_word(value: Value) -> None:
            puts.append((Signal(name=f"put{len(puts)}"), value))
            m.d.comb += puts[-1][0].eq(1)

        # the verdict, perhaps a cycle late, too: it is asked for a byte later at the soonest
        judges, verdict = Signal(), Signal(LinkStatus)
        judged = delayed(m, judges, late, "judged", reset_less=False)
        given = delayed(m, verdict, late, "given")
        with m.If(judged):
            m.d.sync += status.eq(given)

        def judge(value: Any) -> None:
            m.d.comb += [judges.eq(1), verdict.eq(value)]

        def count_error() -> None:
            with m.If(self.err):
                judge(LinkStatus.REFUSED)

        def listen() -> None:
            if self._flow:
                m.d.comb += self.rx_ready.eq(1)

        def receive() -> None:
            """Count a byte of the frame; give the frame up where the line does."""
            listen()
            m.d.comb += [add_byte.eq(rx_valid), added.eq(rx_data)]
            with m.If(rx_valid):
                m.d.sync += left.eq(left - 1)
            with m.If(rx_broken):
                m.next = "drain"
            with m.If(expired):
                m.next = "hunt"

        def replying() -> None:
            """End the reply where nobody hears it, if that can be known."""
            if self._gap is None:
                with m.If(expired):
                    m.next = "hunt"

        with m.FSM() as states:
            with m.State("hunt"):
                listen()
                m.d.comb += crc.start.eq(1)
                m.d.sync += left.eq(HEADER_BYTES)
                with m.If(rx_valid & (rx_data == REQUEST_START)):
                    m.next = "header"
            with m.State("header"):
                receive()
                with m.If(rx_valid):
                    m.d.sync += header.eq(Cat(header.as_value()[8:], rx_data))
                    with m.If(ends):
                        m.next = "known"
            with m.State("known"):
                m.next = "size"
                if self._config.frame_bytes:  # a region is known a cycle after its alignment
                    m.next = "placed"
            if self._config.frame_bytes:
                with m.State("placed"):
                    m.next = "size"
            with m.State("size"):
                m.d.sync += [index.eq(0), left.eq(4)]
                with m.If(~sized):
                    m.next = "drain"
                with m.Elif(is_write | is_frame):
                    m.next = "payload"
                with m.Else():
                    m.next = "checksum"
                with m.If(is_frame):
                    allowed = Mux(to_frame, LinkStatus.OK, LinkStatus.REFUSED)
                    judge(Mux(is_open, allowed, LinkStatus.NO_SESSION))
            with m.State("payload"):
                receive()
                with m.If(rx_valid):
                    put_word(Cat(word[8:], rx_before))
                    with m.If(ends):
                        m.next = "store"
                        if self._config.frame_bytes:
                            with m.If(is_frame):
                                m.next = "pass"
            with m.State("store"):
                m.d.comb += stores.eq(1)
                m.d.sync += [index.eq(index + 1), left.eq(4)]
                m.next = "payload"
                with m.If(final):
                    m.d.sync += left.eq(CRC_BYTES)
                    m.next = "checksum"
            if self._config.frame_bytes:
                with m.State("pass"):
                    count_error()
                    asks, here = status == LinkStatus.OK, ~putting if late else 1
                    m.d.comb += [passing.eq(1), self.stb.eq(asks & here), self.we.eq(1)]
                    with m.If(~asks | self.ack | self.err):
                        m.d.sync += [index.eq(index + 1), header.address.eq(header.address + 1), left.eq(4)]
                        m.next = "payload"
                        with m.If(index[:block_log2].all()):
                            m.d.sync += [index.eq(0), header.count.eq(header.count - 1)]
                            with m.If(header.count == 1):
                                m.d.sync += left.eq(CRC_BYTES)
                                m.next = "checksum"
            with m.State("checksum"):
                receive()
                with m.If(rx_valid & ends):
                    m.next = "check"
            with m.State("check"), m.If(settled & (summed_bits == 0)):
                m.d.sync += [index.eq(0), words.eq(0)]
                m.next = "head"
                with m.If(~matched):
                    m.next = "drain"
                with m.Elif(repeated | is_frame):
                    pass  # carried out before, perhaps just now
                with m.Else():
                    judge(LinkStatus.OK)
                    m.d.sync += last.eq(header.sequence)
                    with m.If(is_hello):
                        m.d.sync += [is_open.eq(1), words.eq(header.count)]
                    with m.Elif(~is_open):
                        judge(LinkStatus.NO_SESSION)
                    with m.Elif(~is_read & ~is_write):
                        judge(LinkStatus.UNKNOWN)
                    with m.Elif(~aligned):
                        judge(LinkStatus.REFUSED)
                    with m.Elif(is_read):
                        m.d.sync += words.eq(header.count)
                    with m.Else():
                        m.next = "fetch"
            with m.State("fetch"):
                m.next = "write"
            with m.State("write"):
                m.d.comb += [self.stb.eq(1), self.we.eq(1)]
                count_error()
                with m.If(self.ack | self.err):
                    m.d.sync += [index.eq(index + 1), header.address.eq(header.address + 1)]
                    m.next = "fetch"
                    with m.If(final):
                        m.next = "head"
            with m.State("drain"):
                listen()
                with m.If(expired):
                    m.next = "hunt"

            with m.State("head"):
                put_word(Cat(Const(REPLY_START, 8), header.sequence, words))
                m.d.sync += [
                    left.eq(REPLY_HEAD_BYTES),
                    phase.eq(_Phase.HEAD),
                    index.eq(0),
                ]
                m.next = "send"
                replying()
            with m.State("read"):
                m.d.comb += self.stb.eq(is_read)
                count_error()
                m.d.sync += [left.eq(4), phase.eq(_Phase.WORD)]
                with m.If(is_hello | self.ack | self.err):
                    put_word(Mux(is_hello, greeting, fetched))
                    m.d.sync += [index.eq(index + 1), header.address.eq(header.address + 1)]
                    m.next = "send"
                replying()
            with m.State("status"):
                put_word(Value.cast(status))
                m.d.sync += [left.eq(1), phase.eq(_Phase.STATUS)]
                m.next = "send"
                replying()
            with m.State("trail"), m.If(summed_bits == 0):
                put_word(crc.crc)
                m.d.sync += [left.eq(CRC_BYTES), phase.eq(_Phase.CRC)]
                m.next = "send"
            with m.State("send"):
                starts = (phase == _Phase.HEAD) & (left == REPLY_HEAD_BYTES)
                m.d.comb += [self.tx_valid.eq(~putting if late else 1), added.eq(word[:8])]
                if self._flow:
                    m.d.comb += self.tx_last.eq((phase == _Phase.CRC) & ends)
                with m.If(self.tx_ready & self.tx_valid):
                    m.d.comb += [crc.start.eq(starts), add_byte.eq(~starts & (phase != _Phase.CRC))]
                    put_word(word[8:])
                    m.d.sync += [left.eq(left - 1)]
                    with m.If(ends), m.Switch(phase):
                        with m.Case(_Phase.STATUS):
                            m.next = "trail"
                        with m.Case(_Phase.CRC):
                            m.next = "hunt"
                        with m.Default():
                            m.next = "read"
                            with m.If(all_sent):
                                m.next = "status"
                replying()

        m.d.comb += self.active.eq(~states.ongoing("hunt"))
        due = [delayed(m, flag, late, f"{flag.name}_", reset_less=False) for flag, _ in puts]
        m.d.comb += putting.eq(delayed(m, Cat(flag for flag, _ in puts).any(), late, "putting_", reset_less=False))
        for flag, (_, value) in zip(due, puts, strict=True):
            with m.If(flag):
                m.d.sync += word.eq(value)
        return m
