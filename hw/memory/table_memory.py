"""TableMemory: the tables of levels, once for each rescaler that looks results up in them."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect

from ..cells.interfaces import HOST_WRITE, table_reads
from ..spec.config import AcceleratorConfig
from ..spec.registers import Region
from .program_memory import ProgramMemory

__all__ = ["TableMemory"]


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
            if self._config.is_protected:
                m.d.comb += self.read.checks[index].eq(copy.read.checks[0])
        return m
