"""SdramPort: what stands between a core's bus and the generated controller of an SDRAM chip."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .axi4 import Axi4
from .narrow_bus import NarrowBus
from .register_slice import RegisterSlice
from .sdram_start import CONTROL, ControlWrite, SdramStart

__all__ = ["SdramPort"]


class SdramPort(wiring.Component):
    """The controller's AXI4 port is as wide as the chip, so that the chip can move a word in every cycle, and takes
    nothing before the chip is initialised. Registers keep the controller's paths, which are long, apart from the
    core's.

    Parameters
    ----------
    bus_bits : int
        Of the core's bus, whose bursts (`spec.transfer.BURST_BEATS`) may not become longer than 256 beats.
    chip_bits : int
        Of the chip.
    writes : sequence of ControlWrite
        What initialises it.
    """

    def __init__(self, *, bus_bits: int, chip_bits: int, writes: Sequence[ControlWrite]) -> None:
        self._narrow = NarrowBus(wide=bus_bits, narrow=chip_bits)
        self._slice = RegisterSlice(data_width=chip_bits)
        self._start = SdramStart(writes)
        super().__init__(
            {
                "bus": In(Axi4(data_width=bus_bits)),
                "port": Out(Axi4(data_width=chip_bits)),
                "control": Out(CONTROL),
                "ready": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join them."""
        m = Module()
        m.submodules.narrow = narrow = self._narrow
        m.submodules.slice = registers = self._slice
        m.submodules.start = start = self._start
        connect(m, flipped(self.bus), narrow.wide)
        connect(m, narrow.narrow, registers.master)
        connect(m, registers.slave, flipped(self.port))
        connect(m, start.control, flipped(self.control))
        m.d.comb += self.ready.eq(start.done)
        return m
