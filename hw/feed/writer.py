"""FeedWriter: codes of a pixel's values, gathered to granules and written plane by plane."""

from __future__ import annotations

import itertools

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..memory.activation_memory import words_write
from ..spec.config import AcceleratorConfig
from ..spec.feed import feed_planes

__all__ = ["FeedWriter"]


class FeedWriter(wiring.Component):
    """Takes the codes of all planes of a value in each cycle in which ``codes.valid`` is high; ``rescalers`` of them
    are a granule, which is written in the cycles behind, the lowest plane first, one plane a cycle. No granule may be
    whole before the one before it is written (`FeedLoops`).

    ``word`` is where a pixel's first word lies, ``group`` and ``plane`` how far the next one of the pixel and that of
    the next plane are, ``planes`` how many planes there are but one. ``resting`` is high where nothing is to be
    written; ``rewind`` says in such a cycle that the next value begins a pixel.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config, self._planes = config, feed_planes(config)
        super().__init__(
            {
                "codes": In(stream.Signature(self._planes * config.code_bits, always_ready=True)),
                "word": In(config.act_address_bits),
                "group": In(config.act_address_bits),
                "plane": In(config.act_address_bits),
                "planes": In(range(max(2, self._planes))),
                "rewind": In(1),
                "resting": Out(1),
                "write": Out(words_write(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A shift register a plane, a copy of it to write from, and one adder for the address."""
        m = Module()
        config, bits, count = self._config, self._config.code_bits, self._config.rescalers
        codes = [self.codes.payload[plane * bits : (plane + 1) * bits] for plane in range(self._planes)]
        gathered = [Signal(count * bits, name=f"gathered{plane}", reset_less=True) for plane in range(self._planes)]
        waiting = [Signal(count * bits, name=f"waiting{plane}", reset_less=True) for plane in range(self._planes)]
        place = Signal(range(max(2, count)))
        granule = Signal(range(max(2, config.granules)))
        whole = Signal()
        first = Signal()
        writing = Signal()
        offset = Signal(config.act_address_bits)
        address = Signal(config.act_address_bits, reset_less=True)
        left = Signal(self.planes.shape())
        target = Signal.like(granule, name="target")
        m.d.comb += whole.eq(self.codes.valid & (place == count - 1))
        with m.If(self.codes.valid):
            m.d.sync += place.eq(Mux(place == count - 1, 0, place + 1))
            for register, code in zip(gathered, codes, strict=True):
                m.d.sync += register.eq(Cat(register, code)[bits:])
        m.d.sync += first.eq(whole)
        with m.If(first):  # what was gathered goes to be written
            m.d.sync += [to.eq(register) for to, register in zip(waiting, gathered, strict=True)]
            m.d.sync += [
                writing.eq(1),
                left.eq(self.planes),
                target.eq(granule),
                granule.eq(Mux(granule == config.granules - 1, 0, granule + 1)),
                address.eq(self.word + offset),
            ]
            with m.If(granule == config.granules - 1):
                m.d.sync += offset.eq(offset + self.group)
        with m.Elif(writing):
            m.d.sync += [writing.eq(left != 0), left.eq(left - 1), address.eq(address + self.plane)]
            m.d.sync += [to.eq(above) for to, above in itertools.pairwise(waiting)]
        with m.If(self.rewind):
            m.d.sync += [place.eq(0), granule.eq(0), offset.eq(0)]
        m.d.comb += [
            self.resting.eq(~self.codes.valid & ~first & ~writing),
            self.write.valid.eq(writing),
            self.write.address.eq(address),
            self.write.data.eq(waiting[0].replicate(config.granules)),
            *(self.write.enable[index].eq(writing & (target == index)) for index in range(config.granules)),
        ]
        return m
