"""SplitScratchpad: a scratchpad in memories side by side, each with an address near its part of a word."""

from __future__ import annotations

import itertools

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring

from ..cells.copies import copies_of
from .scratchpad import Scratchpad, scratchpad_ports

__all__ = ["SplitScratchpad"]


class SplitScratchpad(wiring.Component):
    """A `Scratchpad` whose word lies in up to ``2**near`` memories, each with a register of its own for
    ``read_address``.

    ``read_data`` comes ``near`` cycles later than there; everything else is as there. A granule stays in one memory.

    Parameters
    ----------
    near : int
        Registers on the way of ``read_address``, at least 1.
    depth, width, granule, read_cycles, read_back
        As `Scratchpad` takes them.
    """

    def __init__(
        self, *, near: int, depth: int, width: int, granule: int, read_cycles: int = 1, read_back: bool = False
    ) -> None:
        super().__init__(scratchpad_ports(depth=depth, width=width, granule=granule, read_back=read_back))
        granules = width // granule
        count = min(1 << near, granules)
        ends = [part * granules // count for part in range(count + 1)]
        self._granule, self._read_back, self._near = granule, read_back, near
        self._parts = [
            Scratchpad(
                depth=depth,
                width=(end - first) * granule,
                granule=granule,
                read_cycles=read_cycles,
                read_back=read_back,
            )
            for first, end in itertools.pairwise(ends)
        ]

    def elaborate(self, platform: object) -> Module:
        """Hand every memory its part of the word."""
        m = Module()
        first = 0
        addresses = copies_of(m, self.read_address, self._near, "address", most=1 << self._near)
        for index, part in enumerate(self._parts):
            m.submodules[f"part{index}"] = part
            end = first + len(part.write_enable)
            m.d.comb += [
                part.read_address.eq(addresses[index * len(addresses) // len(self._parts)]),
                part.write_address.eq(self.write_address),
                part.write_data.eq(self.write_data[first * self._granule : end * self._granule]),
                part.write_enable.eq(self.write_enable[first:end]),
            ]
            first = end
        m.d.comb += self.read_data.eq(Cat(part.read_data for part in self._parts))
        if self._read_back:
            m.d.comb += self.read_back.eq(Cat(part.read_back for part in self._parts))
        return m
