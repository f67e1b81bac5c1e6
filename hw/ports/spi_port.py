"""SpiPort: an SPI peripheral that speaks the serial link, in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..cells.interfaces import STORE_ACCESS
from ..spec.config import AcceleratorConfig
from .host_bus import HOST_BUS
from .link_access import link_access
from .serial_link import SerialLink
from .spi import SPI_PINS, SpiPeripheral

__all__ = ["SpiPort"]


class SpiPort(wiring.Component):
    """Peripheral and link. A frame ends where the core is deselected, so no silence has to be waited for.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        store = {"store": Out(STORE_ACCESS)} if config.shows_store else {}
        super().__init__({"pins": Out(SPI_PINS), "bus": Out(HOST_BUS), "active": Out(1), **store})

    def elaborate(self, platform: object) -> Module:
        """Connect the two."""
        m = Module()
        m.submodules.peripheral = peripheral = SpiPeripheral()
        m.submodules.link = link = SerialLink(self._config, gap=None)
        m.d.comb += [
            link.rx_data.eq(peripheral.data),
            link.rx_valid.eq(peripheral.valid),
            link.rx_active.eq(peripheral.active),
            peripheral.tx_data.eq(link.tx_data),
            peripheral.tx_valid.eq(link.tx_valid),
            link.tx_ready.eq(peripheral.tx_ready),
        ]
        wiring.connect(m, wiring.flipped(self.pins), peripheral.pins)
        store = self.store if self._config.shows_store else None
        m.d.comb += self.active.eq(link_access(m, link, self.bus, store))
        return m
