"""UartPort: a UART that speaks the serial link, in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..cells.interfaces import STORE_ACCESS
from ..spec.config import AcceleratorConfig
from ..spec.link import GAP_BITS
from .host_bus import HOST_BUS
from .link_access import link_access
from .serial_link import SerialLink
from .uart import UartReceiver, UartTransmitter

__all__ = ["UART_PINS", "UartPort"]

UART_PINS = Signature({"rx": In(1, init=1), "tx": Out(1, init=1)})


class UartPort(wiring.Component):
    """Receiver, transmitter and link.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        store = {"store": Out(STORE_ACCESS)} if config.shows_store else {}
        super().__init__({"pins": Out(UART_PINS), "bus": Out(HOST_BUS), "active": Out(1), **store})

    def elaborate(self, platform: object) -> Module:
        """Connect the three."""
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(divisor=self._config.uart_divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._config.uart_divisor)
        m.submodules.link = link = SerialLink(self._config, gap=GAP_BITS)
        m.d.comb += [
            receiver.rx.eq(self.pins.rx),
            link.rx_data.eq(receiver.data),
            link.rx_valid.eq(receiver.valid),
            link.rx_broken.eq(receiver.broken),
            link.rx_active.eq(receiver.active),
            self.pins.tx.eq(transmitter.tx),
            transmitter.data.eq(link.tx_data),
            transmitter.valid.eq(link.tx_valid),
            link.tx_ready.eq(transmitter.ready),
            link.tick.eq(transmitter.tick),
        ]
        store = self.store if self._config.shows_store else None
        m.d.comb += self.active.eq(link_access(m, link, self.bus, store))
        return m
