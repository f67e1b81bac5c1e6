"""hand_on, members_of: a unit has its part's members as if they were its own."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth_bench import simulate
from narrows.hw.cells.interfaces import MemoryRead, MemoryWrite, hand_on, members_of


class Reader(wiring.Component):
    """Asks for a word and writes twice what it finds, through two ports."""

    def __init__(self) -> None:
        super().__init__({"start": In(4), "words": Out(MemoryRead(4, 8)), "writes": Out(MemoryWrite(4, 8, 1)).array(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.words.address.eq(self.start)
        for write in self.writes:
            m.d.comb += [write.valid.eq(write.ready), write.address.eq(self.start + 1), write.data.eq(self.words.data)]
        return m


class Around(wiring.Component):
    """A unit around it."""

    def __init__(self) -> None:
        self._reader = Reader()
        super().__init__({"start": In(4), **members_of(self._reader, "words", "writes")})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = self._reader
        m.d.comb += self._reader.start.eq(self.start)
        hand_on(m, self, self._reader, "words", "writes")
        return m


def test_members_are_handed_on_in_both_directions() -> None:
    dut: Any = Around()

    async def bench(ctx: Any) -> None:
        ctx.set(dut.start, 5)
        ctx.set(dut.words.data, 77)
        assert (ctx.get(dut.words.valid), ctx.get(dut.words.address)) == (1, 5)
        for write in dut.writes:
            assert (ctx.get(write.valid), ctx.get(write.address), ctx.get(write.data)) == (1, 6, 77)
            ctx.set(write.ready, 0)
            assert not ctx.get(write.valid)

    simulate(dut, bench)
