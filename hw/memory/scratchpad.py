"""Scratchpad: one on-chip memory with a read port, and a write port with an enable for each granule."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed
from ..cells.netlist import NetlistPlatform

__all__ = ["Scratchpad", "scratchpad_ports"]

_WIDE_DEPTH = 1024
"""Words up to which a block RAM is as wide as it has enables for."""


def scratchpad_ports(*, depth: int, width: int, granule: int, read_back: bool) -> dict[str, wiring.Member]:
    """Ports of a `Scratchpad` of these parameters.

    Raises
    ------
    ValueError
        If granules do not make up the width.
    """
    if width % granule:
        raise ValueError(f"granule must divide the width of {width} bits, not {granule!r}")
    address_bits = max(1, (depth - 1).bit_length())
    return {
        "read_address": In(address_bits),
        "read_data": Out(width),
        "write_address": In(address_bits),
        "write_data": In(width),
        "write_enable": In(width // granule),
        **({"read_back": Out(width)} if read_back else {}),
    }


class Scratchpad(wiring.Component):
    """A synchronous memory that synthesis maps to block RAM.

    ``read_data`` shows the word of ``read_address`` ``read_cycles`` later. Each set bit of ``write_enable``
    stores that granule of ``write_data`` at the clock edge. Reading a word in the cycle in which it is written gives an
    undefined result; the contract rules that out. All words are zero at power-up.

    Parameters
    ----------
    depth : int
        Words.
    width : int
        Bits of a word.
    granule : int
        Bits behind one write enable; divides ``width``.
    read_cycles : int
        1, or 2 with a register behind the memory: in a netlist it is an instance of ``narrows_block_ram`` then, so that
        synthesis can take a block RAM's own register for it.
    read_back : bool
        Give the write port a way to read: ``read_back`` shows the word of ``write_address`` one cycle after a cycle in
        which nothing was written. Two ports in all, as block RAMs have them.
    """

    def __init__(self, *, depth: int, width: int, granule: int, read_cycles: int = 1, read_back: bool = False) -> None:
        if read_cycles not in (1, 2):
            raise ValueError(f"read_cycles must be 1 or 2, not {read_cycles!r}")
        self._depth, self._width, self._granule, self._read_back = depth, width, granule, read_back
        self._read_cycles = read_cycles
        super().__init__(scratchpad_ports(depth=depth, width=width, granule=granule, read_back=read_back))

    def elaborate(self, platform: object) -> Module:
        """Wire the ports to one `amaranth.lib.memory.Memory`, or to an instance."""
        m = Module()
        if isinstance(platform, NetlistPlatform) and self._read_cycles == 2:
            self._instances(m)
            return m
        # without this, synthesis adds logic that gives the old word where a block RAM promises nothing
        attributes = {"no_rw_check": 1}
        m.submodules.words = words = memory.Memory(shape=self._width, depth=self._depth, init=[], attrs=attributes)
        read = words.read_port(domain="sync")
        write = words.write_port(granularity=self._granule)
        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(self.read_address),
            self.read_data.eq(delayed(m, read.data, self._read_cycles - 1, "word")),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
        ]
        if self._read_back:
            back = words.read_port(domain="sync")
            m.d.comb += [
                back.en.eq(1),
                back.addr.eq(self.write_address),
                self.read_back.eq(back.data),
            ]
        return m

    def _instances(self, m: Module) -> None:
        """One instance, or a large and a small one where that takes fewer block RAMs."""
        first = 1 << (self._depth - 1).bit_length() - 1
        if self._depth <= _WIDE_DEPTH or self._depth - first > first // 2:
            read, back = self._instance(m, "memory", self._depth, self.write_enable)
            m.d.comb += self.read_data.eq(read)
            if self._read_back:
                m.d.comb += self.read_back.eq(back)
            return
        writes, reads = self.write_address[-1], self.read_address[-1]
        low = self._instance(m, "low", first, Mux(writes, 0, self.write_enable))
        high = self._instance(m, "high", self._depth - first, Mux(writes, self.write_enable, 0))
        m.d.comb += self.read_data.eq(Mux(delayed(m, reads, self._read_cycles, "reads"), high[0], low[0]))
        if self._read_back:
            m.d.comb += self.read_back.eq(Mux(delayed(m, writes, 1, "wrote"), high[1], low[1]))

    def _instance(self, m: Module, name: str, depth: int, enable: Value) -> tuple[Signal, Signal]:
        read, back = Signal(self._width, name=f"{name}_data"), Signal(self._width, name=f"{name}_back")
        address_bits = max(1, (depth - 1).bit_length())
        m.submodules[name] = Instance(
            "narrows_block_ram",
            p_DEPTH=depth,
            p_WIDTH=self._width,
            p_GRANULE=self._granule,
            p_BACK=int(self._read_back),
            p_ADDRESS=address_bits,
            i_clk=ClockSignal(),
            i_read_address=self.read_address[:address_bits],
            o_read_data=read,
            i_write_address=self.write_address[:address_bits],
            i_write_data=self.write_data,
            i_write_enable=enable,
            **({"o_read_back": back} if self._read_back else {}),
        )
        return read, back
