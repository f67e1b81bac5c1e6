"""UsbSerial: a serial port on USB, of LUNA's parts: what a host sees of a core with ``host = "usb"``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.hdl import Elaboratable, Fragment, Module, ResetInserter, ResetSignal, Signal
from amaranth.lib.wiring import Out, Signature

from ..spec.config import ConfigError
from .usb_descriptors import DATA_ENDPOINT, NOTIFY_ENDPOINT, PACKET, serial_descriptors

__all__ = ["BYTES", "UsbSerial", "need_luna"]

BYTES = Signature({"data": Out(8), "last": Out(1), "valid": Out(1)})
"""A byte, and whether it is the last one of a transfer; taken where ``ready`` beside it is high."""

_DETACHED = 1023  # cycles of `usb`, 85 us: a hub notices after 2.5 us (USB 2.0, 7.1.7.3), and D+ takes some to fall
_QUIET = 31  # cycles of `usb` in which nobody is online behind a reset: more than any clock's synchroniser takes


class UsbSerial(Elaboratable):
    """A device of class CDC-ACM at full speed, in domain ``usb`` (12 MHz).

    LUNA makes transceiver, packets, control requests and the two bulk endpoints; a host that sends faster than bytes
    are taken is told to wait (NAK), and so is one that asks for bytes before there are any. Here the endpoints begin
    anew, data toggles and all, with each reset of the bus and each SET_CONFIGURATION (USB 2.0, 9.1.1.5): LUNA's keep
    their toggles, and the first packet behind a reset would pass for a repeated one.

    Behind a reset of its own, however short, the device first stays away for as long as a host needs to notice: one
    that had merely forgotten its address would answer nobody, and no host would begin with it anew.

    Parameters
    ----------
    bus : object
        What LUNA's ``USBDevice`` takes: pins ``d_p``, ``d_n`` (``i``, ``o``, ``oe``) and ``pullup``; or a UTMI bus.
    product : str
        Name of the device.

    Attributes
    ----------
    received, received_ready : BYTES, Signal
        From the host.
    sent, sent_ready : BYTES, Signal
        To the host. A transfer ends with a packet of fewer than 64 bytes, perhaps of none.
    online : Signal
        Whether a host has chosen the configuration; bytes from before are forgotten.
    frame : Signal
        High for a cycle where a USB frame begins, every 1 ms.
    """

    def __init__(self, *, bus: Any, product: str) -> None:
        self._bus, self._product = bus, product
        self.received, self.received_ready = BYTES.create(), Signal()
        self.sent, self.sent_ready = BYTES.flip().create(), Signal()
        self.online, self.frame = Signal(), Signal()

    def elaborate(self, platform: object) -> Module:
        """Put LUNA's parts together."""
        with _older_amaranth():
            return self._assembled()

    def _assembled(self) -> Module:
        from luna.gateware.usb.devices.acm import ACMRequestHandlers
        from luna.gateware.usb.usb2.device import USBDevice
        from luna.gateware.usb.usb2.endpoints.stream import USBStreamInEndpoint, USBStreamOutEndpoint

        m = Module()
        device = USBDevice(bus=self._bus)
        control = device.add_standard_control_endpoint(serial_descriptors(self._product))
        control.add_request_handler(ACMRequestHandlers())
        anew = Signal()
        # LUNA calls submodules by their class, and two of one class by their place in memory
        notify, outward, inward = (
            _begun_anew(kind, name, anew)(endpoint_number=number, max_packet_size=PACKET)
            for name, kind, number in (
                ("notify", USBStreamInEndpoint, NOTIFY_ENDPOINT),
                ("out", USBStreamOutEndpoint, DATA_ENDPOINT),
                ("in", USBStreamInEndpoint, DATA_ENDPOINT),
            )
        )
        for endpoint in (notify, outward, inward):
            device.add_endpoint(endpoint)
        quiet = Signal(range(_QUIET + 1))
        with m.If(anew):
            m.d.usb += quiet.eq(_QUIET)
        with m.Elif(quiet != 0):
            m.d.usb += quiet.eq(quiet - 1)
        received, sent = outward.stream, inward.stream
        away = Signal(range(_DETACHED + 1), init=_DETACHED)
        with m.If(away != 0):
            m.d.usb += away.eq(away - 1)
        m.d.comb += [
            device.connect.eq((away == 0) & ~ResetSignal("usb")),
            anew.eq(device.reset_detected | control.interface.config_changed),
            self.frame.eq(device.sof_detected),
            self.received.data.eq(received.payload),
            self.received.last.eq(received.last),
            self.received.valid.eq(received.valid),
            received.ready.eq(self.received_ready),
            sent.payload.eq(self.sent.data),
            sent.last.eq(self.sent.last),
            sent.valid.eq(self.sent.valid),
            self.sent_ready.eq(sent.ready),
        ]
        m.d.usb += self.online.eq((control.interface.active_config != 0) & ~anew & (quiet == 0))
        m.submodules.device = Fragment.get(device, None)  # LUNA asks platforms for what ours do not tell
        return m


def need_luna() -> None:
    """Go on if LUNA is installed.

    Raises
    ------
    ConfigError
        If it is not; the message is the command that installs it.
    """
    try:
        with _older_amaranth():
            import luna.gateware.usb.devices.acm  # noqa: F401
    except ImportError as error:
        raise ConfigError("host 'usb' needs the package luna-usb: pip install 'narrows[usb]'") from error


@contextmanager
def _older_amaranth() -> Iterator[None]:
    """LUNA is written for what Amaranth 0.5 still has, and says will go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _begun_anew(kind: type, name: str, anew: Signal) -> type:
    """The same endpoint, called ``name``, that ``anew`` resets."""

    def elaborate(self: Any, platform: object) -> Any:
        return ResetInserter({"usb": anew})(kind.elaborate(self, platform))  # type: ignore[attr-defined]

    return type(name, (kind,), {"elaborate": elaborate})
