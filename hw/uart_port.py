"""UartPort: a UART that speaks the serial link, in front of the registers and memory windows."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .host_bus import HOST_BUS
from .serial_link import SerialLink
from .spec.config import AcceleratorConfig
from .uart import UartReceiver, UartTransmitter
from .wishbone import WishbonePort

__all__ = ["UART_PORTS", "UartPort"]

UART_PORTS = {"rx": In(1, init=1), "tx": Out(1, init=1)}
"""The pins."""


class UartPort(wiring.Component):
    """Receiver, transmitter, link and a Wishbone slave, which keeps the rules that every port keeps.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__({**UART_PORTS, **HOST_BUS})

    def elaborate(self, platform: object) -> Module:
        """Connect the four."""
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(divisor=self._config.uart_divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._config.uart_divisor)
        m.submodules.link = link = SerialLink(self._config)
        m.submodules.slave = slave = WishbonePort()
        m.d.comb += [
            receiver.rx.eq(self.rx),
            link.rx_data.eq(receiver.data),
            link.rx_valid.eq(receiver.valid),
            link.rx_broken.eq(receiver.broken),
            link.rx_active.eq(receiver.active),
            self.tx.eq(transmitter.tx),
            transmitter.data.eq(link.tx_data),
            transmitter.valid.eq(link.tx_valid),
            link.tx_ready.eq(transmitter.ready),
            link.tick.eq(transmitter.tick),
            slave.cyc.eq(link.stb),
            slave.stb.eq(link.stb),
            slave.we.eq(link.we),
            slave.adr.eq(link.adr),
            slave.sel.eq(0b1111),
            slave.dat_w.eq(link.dat_w),
            link.dat_r.eq(slave.dat_r),
            link.ack.eq(slave.ack),
            link.err.eq(slave.err),
        ]
        for name, member in HOST_BUS.items():
            outer, inner = getattr(self, name), getattr(slave, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        return m
