"""BootLoader: plays the boot image of a flash memory as a host's writes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out, connect, flipped

from ..cells.interfaces import BOOT
from ..ports.host_bus import HOST_BUS
from ..spec.boot import BOOT_MAGIC, COUNT_BITS, REPEAT, BootState, most_words
from ..spec.config import AcceleratorConfig
from ..spec.registers import ADDRESS_BITS, REGION_BITS, Region, Register
from .flash_reader import FLASH, FlashReader

__all__ = ["BootLoader"]

_WORD_BYTES = 4
_CONTROL = Register.CONTROL.offset // _WORD_BYTES
_PROGRAM_CONFIG = Register.PROGRAM_CONFIG.offset // _WORD_BYTES


class BootLoader(wiring.Component):
    """Stands between the host's port (``host``) and the window (``bus``), and writes there what the image says, once
    after each reset; from then on it hands on what the port drives.

    The image is read twice: first to see that it is whole, then to act. Should the second reading differ from the
    first, PROGRAM_CONFIG is spoilt at the end, so that no run can start; writes of CONTROL, which would start one
    earlier, are left out. The boot ends whatever the flash holds: an image longer than any of this core is none.

    While it lasts the port sees a core that is busy: it refuses accesses to memories, and writes of registers are
    refused here. ``resting`` is high from its end on. A word takes ``64 * config.flash_divisor`` cycles, a repeated one
    2 for each time.

    Parameters
    ----------
    config : AcceleratorConfig
        With ``boot``.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {"pins": Out(FLASH), "host": In(HOST_BUS), "bus": Out(HOST_BUS), "boot": Out(BOOT), "resting": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Bytes to words and their checksum; words to records; records to writes."""
        m = Module()
        m.submodules.reader = reader = FlashReader(self._config)
        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(data_width=1).create()
        connect(m, flipped(self.pins), reader.pins)
        word, takes, whole = Signal(32), Signal(), Signal()
        self._words(m, reader, crc, word=word, takes=takes, whole=whole)
        # what decides about a word, from registers
        is_magic, is_blank, is_long, matched, is_control = Signal(), Signal(), Signal(), Signal(), Signal()
        address, count, repeats = Signal(ADDRESS_BITS - 2), Signal(COUNT_BITS), Signal()
        left = Signal(most_words(self._config).bit_length())
        m.d.sync += [
            is_magic.eq(word == BOOT_MAGIC),
            is_blank.eq(word.all()),
            is_long.eq(word[len(left) :].any()),
            matched.eq(crc.match_detected),
            is_control.eq(address == _CONTROL),
        ]
        booting, state = Signal(init=1), Signal(BootState, init=BootState.BOOTING)
        write, acts, last = Signal(), Signal(), Signal()
        m.d.sync += write.eq(0)
        m.d.comb += [
            self.boot.busy.eq(booting),
            self.boot.state.eq(state),
            self.boot.tag.eq(word[8:]),
            last.eq(left == 1),
            self.resting.eq(~booting & reader.resting),
        ]
        self._hand_on(m, booting=booting, write=write & ~is_control, address=address, data=word)

        def end(became: BootState | Value) -> None:
            m.d.sync += [state.eq(became), booting.eq(0)]
            m.next = "ENDED"

        def fail(became: BootState | Value) -> None:
            with m.If(acts):
                m.d.sync += [address.eq(_PROGRAM_CONFIG), word.eq(~self._config.hash32)]
                m.next = "SPOIL"
            with m.Else():
                end(became)

        with m.FSM() as fsm:
            takes_in = [fsm.ongoing(name) for name in ("MAGIC", "LENGTH", "HEAD", "COUNT", "DATA", "CRC")]
            m.d.comb += [
                takes.eq(Cat(takes_in).any()),
                reader.run.eq(~Cat(fsm.ongoing(name) for name in ("BEGIN", "SPOIL", "SPOILT", "ENDED")).any()),
            ]
            with m.State("BEGIN"):
                m.d.comb += crc.start.eq(1)
                with m.If(self.pins.cs_n):
                    m.next = "MAGIC"
            with m.State("MAGIC"), m.If(whole):
                m.next = "LENGTH"
                with m.If(~is_magic):
                    fail(Mux(is_blank, BootState.EMPTY, BootState.BAD_MAGIC))
            with m.State("LENGTH"), m.If(whole):
                m.d.sync += left.eq(word)
                m.next = "LEFT"
                with m.If(is_long):
                    fail(BootState.BAD_CRC)
            with m.State("LEFT"):
                with m.If(left == 0):
                    m.next = "CRC"
                with m.Elif(acts & (count == 0)):
                    m.next = "HEAD"
                with m.Else():
                    m.next = "DATA"
            with m.State("HEAD"), m.If(whole):
                m.d.sync += [address.eq(word[2:]), repeats.eq(word & REPEAT != 0), left.eq(left - 1)]
                m.next = "COUNT"
                with m.If(last):
                    m.next = "CRC"
            with m.State("COUNT"), m.If(whole):
                m.d.sync += [count.eq(word), left.eq(left - 1)]
                m.next = "LEFT"
            with m.State("DATA"), m.If(whole):
                m.d.sync += [left.eq(left - 1), write.eq(acts)]
                m.next = "WRITE"
            with m.State("WRITE"):
                with m.If(acts):
                    m.d.sync += [address.eq(address + 1), count.eq(count - 1)]
                m.next = "NEXT"
            with m.State("NEXT"):
                m.next = "LEFT"
                with m.If(repeats & (count != 0)):
                    m.d.sync += write.eq(1)
                    m.next = "WRITE"
            with m.State("CRC"), m.If(whole):
                with m.If(~matched):
                    fail(BootState.BAD_CRC)
                with m.Elif(acts):
                    end(BootState.LOADED)
                with m.Else():
                    m.d.sync += acts.eq(1)
                    m.next = "BEGIN"
            with m.State("SPOIL"):
                m.d.sync += write.eq(1)
                m.next = "SPOILT"
            with m.State("SPOILT"):
                end(BootState.BAD_CRC)
            with m.State("ENDED"):
                touched = self.host.write & (self.host.write_region == Region.INSTRUCTIONS)
                with m.If(touched & (state == BootState.LOADED)):
                    m.d.sync += state.eq(BootState.REPLACED)
        return m

    def _words(self, m: Module, reader: FlashReader, crc: Any, *, word: Signal, takes: Signal, whole: Signal) -> None:
        """Gather bytes, while ``takes`` is high, and sum them; ``whole`` is high for a cycle once ``word`` is complete
        and has stood for a cycle."""
        place, bits, settling = Signal(range(_WORD_BYTES)), Signal(range(9)), Signal()
        newest = word[-8:]
        m.d.comb += [
            reader.bytes.ready.eq(takes & (bits == 0) & ~settling & ~whole),
            crc.valid.eq(bits != 0),
            crc.data.eq(newest[0]),
        ]
        m.d.sync += [settling.eq(0), whole.eq(settling)]
        with m.If(reader.bytes.valid & reader.bytes.ready):
            m.d.sync += [word.eq(Cat(word[8:], reader.bytes.payload)), bits.eq(8)]
        with m.Elif(bits != 0):  # through the checksum bit by bit: eight turns leave the byte as it was
            m.d.sync += [newest.eq(newest.rotate_right(1)), bits.eq(bits - 1)]
            with m.If(bits == 1):
                m.d.sync += [place.eq(place + 1), settling.eq(place == _WORD_BYTES - 1)]

    def _hand_on(self, m: Module, *, booting: Signal, write: Value, address: Signal, data: Signal) -> None:
        """The image's writes while ``booting``, then the port's."""
        host, bus, offset_bits = self.host, self.bus, REGION_BITS - 2
        m.d.comb += [
            bus.write.eq(Mux(booting, write, host.write)),
            bus.write_region.eq(Mux(booting, address[offset_bits:], host.write_region)),
            bus.write_offset.eq(Mux(booting, address[:offset_bits], host.write_offset)),
            bus.write_data.eq(Mux(booting, data, host.write_data)),
            bus.starts.eq(host.starts & ~booting),
            bus.conflict.eq(host.conflict & ~booting),
            bus.refused.eq(host.refused | (host.write & booting)),
            bus.read_region.eq(host.read_region),
            bus.read_offset.eq(host.read_offset),
            host.read_data.eq(bus.read_data),
            host.busy.eq(bus.busy | booting),
        ]
