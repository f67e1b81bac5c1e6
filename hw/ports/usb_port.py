"""UsbPort: a serial port on USB that speaks the serial link, in front of the registers and memory windows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, ResetInserter, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer, PulseSynchronizer, ResetSynchronizer
from amaranth.lib.fifo import AsyncFIFOBuffered
from amaranth.lib.wiring import In, Out, Signature

from ..spec.config import AcceleratorConfig
from ..spec.link import USB_GAP_FRAMES
from .host_bus import HOST_BUS
from .link_access import link_access
from .serial_link import BYTE_CYCLES, SerialLink
from .usb_device import UsbSerial

__all__ = ["USB_PINS", "UsbLink", "UsbPort"]

USB_PINS = Signature(
    {
        "clk_48": In(1),
        "clk_12": In(1),
        "d_p_i": In(1, init=1),
        "d_n_i": In(1),
        "d_p_o": Out(1),
        "d_n_o": Out(1),
        "oe": Out(1),
        "pullup": Out(1),
    }
)
"""``clk_48`` and ``clk_12``: 48 and 12 MHz, whose edges coincide; ``d_p`` and ``d_n``: D+ and D-, which the core drives
while ``oe`` is high; ``pullup``: 1.5 kOhm from D+ to 3.3 V, by which a host notices the device."""

_WAITING = 9  # bytes between two clocks; the endpoints hold packets of 64


class UsbLink(wiring.Component):
    """The serial link behind a transceiver: device in domain ``usb``, link in ``sync``, bytes that cross between them.

    Nothing is lost on the way: while a request is carried out and answered, what the host sends waits, first in the
    endpoint, then in the host. While no host has chosen the configuration the link is in reset and forgets what came.
    A request that does not go on is given up after `USB_GAP_FRAMES` frames without a byte.

    Parameters
    ----------
    config : AcceleratorConfig
    bus : object
        As `UsbSerial` takes it.
    """

    def __init__(self, config: AcceleratorConfig, *, bus: Any) -> None:
        self._config = config
        self._device = UsbSerial(bus=bus, product=f"narrows core {config.hash32:08x}")
        super().__init__({"bus": Out(HOST_BUS), "active": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect device and link."""
        m = Module()
        m.submodules.device = device = self._device
        m.submodules.inward = inward = AsyncFIFOBuffered(width=8, depth=_WAITING, w_domain="usb", r_domain="sync")
        m.submodules.outward = outward = AsyncFIFOBuffered(width=9, depth=_WAITING, w_domain="sync", r_domain="usb")
        m.submodules.frames = frames = PulseSynchronizer("usb", "sync")
        online = Signal()
        m.submodules.online = FFSynchronizer(device.online, online)
        link = SerialLink(self._config, gap=USB_GAP_FRAMES, flow=True)
        m.submodules.link = ResetInserter(~online)(link)

        # a byte waits in registers on either side of the link, so that no path leads through a FIFO and the link
        inward_wait, outward_wait = (Signal(range(BYTE_CYCLES), name=f"{way}_wait") for way in ("inward", "outward"))
        given, taken, free = Signal(), Signal(), Signal()
        for wait, passed in ((inward_wait, link.rx_valid), (outward_wait, taken)):
            with m.If(passed):
                m.d.sync += wait.eq(BYTE_CYCLES - 1)
            with m.Elif(wait != 0):
                m.d.sync += wait.eq(wait - 1)
        with m.If(inward.r_rdy & ~given):
            m.d.sync += [given.eq(online), link.rx_data.eq(inward.r_data)]
        with m.Elif(link.rx_valid | ~online):
            m.d.sync += given.eq(0)
        m.d.sync += [
            free.eq(outward.w_rdy & (outward_wait == 0) & ~taken),  # stays so until one is taken
            outward.w_data.eq(Cat(link.tx_data, link.tx_last)),
            outward.w_en.eq(taken & online),
        ]
        m.d.comb += [
            inward.w_data.eq(device.received.data),
            inward.w_en.eq(device.received.valid),
            device.received_ready.eq(inward.w_rdy),
            inward.r_en.eq(~given),
            link.rx_valid.eq(given & link.rx_ready & (inward_wait == 0)),
            link.rx_active.eq(given | inward.r_rdy),
            frames.i.eq(device.frame),
            link.tick.eq(frames.o),
            link.tx_ready.eq(free),
            taken.eq(link.tx_valid & free),
            Cat(device.sent.data, device.sent.last).eq(outward.r_data),
            device.sent.valid.eq(outward.r_rdy & device.online),
            outward.r_en.eq(device.sent_ready | ~device.online),
        ]
        m.d.comb += self.active.eq(link_access(m, link, self.bus))
        return m


class UsbPort(wiring.Component):
    """A host's port on USB, full speed: clocks, pins, and the link behind LUNA's transceiver made of gates.

    The core's own clock is of any phase, and fast enough for what USB carries from 20 MHz on.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        two_way = Signature({"i": In(1), "o": Out(1), "oe": Out(1)})
        self._wires = SimpleNamespace(
            d_p=two_way.create(path=("d_p",)), d_n=two_way.create(path=("d_n",)), pullup=SimpleNamespace(o=Signal())
        )
        self._link = UsbLink(config, bus=self._wires)
        super().__init__({"pins": Out(USB_PINS), "bus": Out(HOST_BUS), "active": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect clocks and pins."""
        m = Module()
        pins, wires = self.pins, self._wires
        for domain, clock in (("usb_io", pins.clk_48), ("usb", pins.clk_12)):
            m.domains += ClockDomain(domain, local=True)
            m.d.comb += ClockSignal(domain).eq(clock)
            m.submodules[f"{domain}_reset"] = ResetSynchronizer(ResetSignal("sync"), domain=domain)
        m.submodules.usb = link = self._link
        m.d.comb += [
            wires.d_p.i.eq(pins.d_p_i),
            wires.d_n.i.eq(pins.d_n_i),
            pins.d_p_o.eq(wires.d_p.o),
            pins.d_n_o.eq(wires.d_n.o),
            pins.oe.eq(wires.d_p.oe),
            pins.pullup.eq(wires.pullup.o),
            self.active.eq(link.active),
        ]
        wiring.connect(m, wiring.flipped(self.bus), link.bus)
        return m
