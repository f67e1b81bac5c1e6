"""SplitScratchpad: a scratchpad in two memories side by side, each near what takes its half of a word."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring

from ..cells.copies import copy_of
from .scratchpad import Scratchpad, scratchpad_ports

__all__ = ["SplitScratchpad"]


class SplitScratchpad(wiring.Component):
    """A `Scratchpad` whose word lies in two memories, each with a register of its own for ``read_address``.

    ``read_data`` comes a cycle later than there; everything else is as there. A word of a single granule stays in one
    memory.

    Parameters
    ----------
    depth, width, granule, read_cycles, read_back
        As `Scratchpad` takes them.
    """

    def __init__(self, *, depth: int, width: int, granule: int, read_cycles: int = 1, read_back: bool = False) -> None:
        super().__init__(scratchpad_ports(depth=depth, width=width, granule=granule, read_back=read_back))
        granules = width // granule
        parts = [granules - granules // 2, granules // 2] if granules > 1 else [1]
        self._granule, self._read_back = granule, read_back
        self._parts = [
            Scratchpad(depth=depth, width=part * granule, granule=granule, read_cycles=read_cycles, read_back=read_back)
            for part in parts
        ]

    def elaborate(self, platform: object) -> Module:
        """Hand every memory its part of the word."""
        m = Module()
        first = 0
        for index, part in enumerate(self._parts):
            m.submodules[f"part{index}"] = part
            end = first + len(part.write_enable)
            m.d.comb += [
                part.read_address.eq(copy_of(m, self.read_address, index, f"address{index}")),
                part.write_address.eq(self.write_address),
                part.write_data.eq(self.write_data[first * self._granule : end * self._granule]),
                part.write_enable.eq(self.write_enable[first:end]),
            ]
            first = end
        m.d.comb += self.read_data.eq(Cat(part.read_data for part in self._parts))
        if self._read_back:
            m.d.comb += self.read_back.eq(Cat(part.read_back for part in self._parts))
        return m
