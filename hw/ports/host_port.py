"""host_port: the port that a configuration gives the host."""

from __future__ import annotations

from ..spec.config import AcceleratorConfig
from .axi_lite import AxiLitePort
from .bare_port import BarePort
from .spi_port import SpiPort
from .uart_port import UartPort
from .usb_port import UsbPort
from .wishbone import WishbonePort

__all__ = ["HOST_NAMES", "HostPort", "host_port"]

HostPort = AxiLitePort | WishbonePort | UartPort | SpiPort | UsbPort | BarePort
"""A component with ``pins`` towards the host, of a signature of its own, and ``bus`` (`HOST_BUS`) into the core."""

HOST_NAMES = {"axi": "s_axil", "wishbone": "s_wb", "uart": "uart", "spi": "spi", "usb": "usb", "bare": "host"}
"""A core's member for these pins, by ``AcceleratorConfig.host``."""


def host_port(config: AcceleratorConfig) -> HostPort:
    """The port that ``config.host`` names."""
    match config.host:
        case "wishbone":
            return WishbonePort()
        case "uart":
            return UartPort(config)
        case "spi":
            return SpiPort(config)
        case "usb":
            return UsbPort(config)
        case "bare":
            return BarePort()
        case _:
            return AxiLitePort()
