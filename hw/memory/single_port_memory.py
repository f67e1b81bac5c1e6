"""SinglePortMemory: words behind one port that reads or writes, made of the FPGA's large single-port memories."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ..cells.netlist import NetlistPlatform
from ..spec.memories import SINGLE_ENABLE, SINGLE_WIDTH, SINGLE_WORDS

__all__ = ["SINGLE_PORT_ICE40", "SINGLE_PORT_VERILOG", "SinglePortMemory"]

_ADDRESS_BITS = (SINGLE_WORDS - 1).bit_length()
_ENABLES = SINGLE_WIDTH // SINGLE_ENABLE
_PORTS = f"""(
    input clk,
    input [{_ADDRESS_BITS - 1}:0] address,
    input [{_ENABLES - 1}:0] write_enable,
    input [{SINGLE_WIDTH - 1}:0] write_data,
    output {{reg}}[{SINGLE_WIDTH - 1}:0] read_data
);"""

SINGLE_PORT_VERILOG = f"""
// reads in every cycle in which nothing is written; what it gives after a write is undefined
module narrows_ram {_PORTS.replace("{reg}", "reg ")}
    reg [{SINGLE_WIDTH - 1}:0] words [0:{SINGLE_WORDS - 1}];
    integer i;
    initial begin
        for (i = 0; i < {SINGLE_WORDS}; i = i + 1) words[i] = 0;
        read_data = 0;
    end
    always @(posedge clk) begin
        if (write_enable == 0)
            read_data <= words[address];
        for (i = 0; i < {SINGLE_WIDTH}; i = i + {SINGLE_ENABLE})
            if (write_enable[i / {SINGLE_ENABLE}])
                words[address][i +: {SINGLE_ENABLE}] <= write_data[i +: {SINGLE_ENABLE}];
    end
endmodule
"""
"""Portable definition of the instances in generated Verilog."""

SINGLE_PORT_ICE40 = f"""
module narrows_ram {_PORTS.replace("{reg}", "")}
    SB_SPRAM256KA ram (
        .ADDRESS(address),
        .DATAIN(write_data),
        .MASKWREN(write_enable),
        .WREN(|write_enable),
        .CHIPSELECT(1'b1),
        .CLOCK(clk),
        .STANDBY(1'b0),
        .SLEEP(1'b0),
        .POWEROFF(1'b1),
        .DATAOUT(read_data)
    );
endmodule
"""
"""Yosys techmap from the instances to the iCE40UP5K's memory."""


class SinglePortMemory(wiring.Component):
    """A synchronous memory with one port.

    Each set bit of ``write_enable`` stores that granule of ``write_data`` in the word of ``address`` at the clock edge.
    In a cycle in which none is set, that word is read: ``read_data`` shows it one cycle later; after a cycle with a
    write ``read_data`` is undefined. So are all words at power-up.

    In a netlist it is made of instances of ``narrows_ram``, 16,384 words of 16 bits each.

    Parameters
    ----------
    depth : int
        Words, up to 16,384.
    width : int
        Bits of a word, a multiple of 16.
    granule : int
        Bits behind one write enable, a multiple of 4; divides ``width``.
    """

    READ_CYCLES = 1

    def __init__(self, *, depth: int, width: int, granule: int) -> None:
        if not 1 <= depth <= SINGLE_WORDS:
            raise ValueError(f"depth must be 1 to {SINGLE_WORDS}, not {depth!r}")
        if width % SINGLE_WIDTH or width % granule or granule % SINGLE_ENABLE:
            raise ValueError(
                f"width must be a multiple of {SINGLE_WIDTH} and of granule, a multiple of {SINGLE_ENABLE}, "
                f"not {width!r} and {granule!r}"
            )
        self._depth, self._width, self._granule = depth, width, granule
        super().__init__(
            {
                "address": In(max(1, (depth - 1).bit_length())),
                "read_data": Out(width),
                "write_data": In(width),
                "write_enable": In(width // granule),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Lay instances side by side, or model them."""
        m = Module()
        if not isinstance(platform, NetlistPlatform):
            m.submodules.words = words = memory.Memory(shape=self._width, depth=self._depth, init=[])
            read = words.read_port(domain="sync")
            write = words.write_port(granularity=self._granule)
            m.d.comb += [
                read.en.eq(~self.write_enable.any()),
                read.addr.eq(self.address),
                self.read_data.eq(read.data),
                write.addr.eq(self.address),
                write.data.eq(self.write_data),
                write.en.eq(self.write_enable),
            ]
            return m
        address, read_data = Signal(_ADDRESS_BITS), []
        m.d.comb += address.eq(self.address)
        enables = Cat(enable.replicate(self._granule // SINGLE_ENABLE) for enable in self.write_enable)
        for index in range(self._width // SINGLE_WIDTH):
            part = Signal(SINGLE_WIDTH, name=f"part{index}")
            m.submodules[f"ram{index}"] = Instance(
                "narrows_ram",
                i_clk=ClockSignal(),
                i_address=address,
                i_write_enable=enables.word_select(index, _ENABLES),
                i_write_data=self.write_data.word_select(index, SINGLE_WIDTH),
                o_read_data=part,
            )
            read_data.append(part)
        m.d.comb += self.read_data.eq(Cat(read_data))
        return m
