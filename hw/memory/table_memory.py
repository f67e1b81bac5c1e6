"""TableMemory: the tables of levels, once for each rescaler that looks results up in them."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, connect

from ..cells.interfaces import HOST_WRITE, MemoryRead
from ..spec.config import AcceleratorConfig
from ..spec.registers import Region, region_depth
from .program_memory import ProgramMemory

__all__ = ["TableMemory", "table_reads"]


def table_reads(config: AcceleratorConfig) -> MemoryRead:
    """What the rescalers read: an address and an entry each, `Pipeline.table_read` apart."""
    count = config.drain_rows * config.rescalers
    address_bits = (region_depth(config, Region.TABLES) - 1).bit_length()
    return MemoryRead(data.ArrayLayout(address_bits, count), data.ArrayLayout(config.level_bits, count))


class TableMemory(wiring.Component):
    """Copies of one memory that the host writes, each read by a rescaler of its own.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__({"host": In(HOST_WRITE), "read": In(table_reads(config))})

    def elaborate(self, platform: object) -> Module:
        """Write all of them alike."""
        m = Module()
        for index in range(self._config.drain_rows * self._config.rescalers):
            m.submodules[f"copy{index}"] = copy = ProgramMemory(self._config, Region.TABLES)
            connect(m, wiring.flipped(self.host), copy.host)
            m.d.comb += [copy.read.address.eq(self.read.address[index]), self.read.data[index].eq(copy.read.data)]
        return m
