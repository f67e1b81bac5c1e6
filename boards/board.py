"""Board: what is known of a board, and the core that goes on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.link import SPI_DIVISOR, USB_BAUD
from ..hw.spec.sdram import SdramChip
from ..hw.spec.transfer import BURST_BEATS
from ..sw.errors import NarrowsError
from .boot_flash import BootFlash

__all__ = ["FAMILIES", "Board", "BoardError"]

FAMILIES = {"ice40": "ice40", "ecp5": "ecp5", "gowin": "ice40", "xilinx": "xilinx"}
"""FPGA families of boards, and the form of the array (``AcceleratorConfig.fabric``) that suits each."""

_SPARE_NS = 1.0
"""Of data from an SDRAM, at least, either side of where they are taken."""


class BoardError(NarrowsError):
    """A board that does not exist, or cannot do what is asked of it."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board with one core on it, reached over a UART, SPI or USB.

    Parameters
    ----------
    name, title : str
        What commands call it; what people do.
    device : str
        The FPGA with package and speed grade.
    family : str
        One of `FAMILIES`.
    platform : callable
        Makes the `amaranth_boards` platform with a resource ``(link, 0)`` for each of ``links`` and perhaps LEDs
        ``("led", n)``.
    input : str
        Name of the platform's clock that feeds the clock generator.
    clock_mhz : float
        The core's clock.
    link_clocks : tuple of (str, float)
        The fastest that it may be over another link than ``link``: `over`.
    baud : int
        Bits a second on the UART.
    links : tuple of str
        How a host can be connected: ``"uart"``, ``"spi"``, ``"usb"`` (ECP5: the pins of its own USB connector).
    link : str
        How it is; one of ``links``.
    ftdi_select : int
        Which chip select of an FTDI chip on the board is the core's on SPI: 0 for its pin ADBUS3, 1 for ADBUS4.
    usb_chip : tuple of (int, int) or None
        Vendor and product of the board's USB chip that is the UART's other end, or SPI's; None: there is no such chip.
    config : AcceleratorConfig
        The core; its port and the form of its array follow from the board.
    memories, host_link : str
        Where weights and activations lie; how a computer is connected. For people.
    flash : tuple of str
        Command that loads a bitstream, whose path comes behind it.
    pll_pin : bool
        iCE40: the clock comes in on the clock generator's own pin.
    ties : tuple of (str, int)
        Pins that need a constant level, by name of their resource.
    vendor_only : bool
        Only a vendor's tools can place it: a build is a plan for these.
    sdram : SdramChip, optional
        Behind the resource ``("sdram", 0)`` of the platform: the backing store of a core with ``backing = "axi4"``.
    boot_flash : BootFlash, optional
        Where a core finds its program at power-up, if it is to be ``alone``.
    alone : bool
        The core loads its program by itself, from the flash behind the bitstream.
    serves : bool
        One that is alone has no host: the UART brings frames as bare bytes and takes answers (`hw.serve.uart_streams`).
    placer : str
        ECP5: nextpnr's ``--placer`` that gave this board's own core the faster clock, ``heap`` or ``static``.

    Raises
    ------
    BoardError
        If the UART's speed cannot be made of the clock, the board has no such link, its SDRAM no such clock or bus, or
        there is no flash for a core that is to be alone.
    """

    name: str
    title: str
    device: str
    family: str
    platform: Callable[[], Any]
    input: str
    clock_mhz: float
    config: AcceleratorConfig
    memories: str
    host_link: str
    flash: tuple[str, ...]
    baud: int = 1_000_000
    links: tuple[str, ...] = ("uart",)
    link: str = "uart"
    link_clocks: tuple[tuple[str, float], ...] = ()
    ftdi_select: int = 0
    usb_chip: tuple[int, int] | None = None
    pll_pin: bool = False
    ties: tuple[tuple[str, int], ...] = ()
    vendor_only: bool = False
    placer: str = "heap"
    sdram: SdramChip | None = None
    boot_flash: BootFlash | None = None
    alone: bool = False
    serves: bool = False

    def __post_init__(self) -> None:
        if self.link not in self.links:
            raise BoardError(f"{self.title} has no {self.link} to its host: choose {' or '.join(self.links)}")
        divisor = max(4, round(self.clock_mhz * 1e6 / self.baud))
        if abs(self.clock_mhz * 1e6 / divisor / self.baud - 1) > 0.015:
            raise BoardError(f"{self.baud} baud cannot be made of {self.clock_mhz:g} MHz: choose another baud")
        backing = "none" if self.sdram is None else self.config.backing
        machine = dataclasses.replace(
            self.config,
            uart_divisor=divisor,
            fabric=FAMILIES[self.family],
            backing=backing,
            **self._boot(),
            **self._host(),
        )
        if self.sdram is not None and machine.has_backing:
            _check_sdram(self.sdram, self.clock_mhz, machine)
        object.__setattr__(self, "config", machine)

    def over(self, link: str) -> Board:
        """The board with a link to its host, at the clock that its core has with that; BoardError if it has none."""
        slower = dict(self.link_clocks).get(link, self.clock_mhz)
        return dataclasses.replace(self, link=link, clock_mhz=min(slower, self.clock_mhz))

    def _boot(self) -> dict[str, int]:
        """Parameters of a core that is alone, or is not."""
        if not self.alone:
            return {"boot": 0, "flash_offset": 0, "flash_divisor": 0}
        flash = self.boot_flash
        if flash is None:
            raise BoardError(f"{self.title} has no flash that its core could load a program from")
        if self.link in flash.links:
            raise BoardError(f"{self.title} has its {self.link} and its flash on the same pins: choose another link")
        if self.sdram is not None and self.config.has_backing:
            raise BoardError(f"{self.title}: a core that is alone has no backing store: choose backing = 'none'")
        return {"boot": 1, "flash_offset": flash.offset, "flash_divisor": flash.divisor(self.clock_mhz)}

    def _host(self) -> dict[str, Any]:
        """Parameters of the core's port, or of one that has streams in its place."""
        if not self.serves:
            return {"host": self.link, "streams": 0}
        if not self.alone or self.link != "uart":
            raise BoardError(f"{self.title} serves without a host only alone, with frames and answers on its uart")
        if not self.config.frame_bytes:
            raise BoardError(f"{self.title}: what serves needs a frame memory: set frame_bytes")
        return {"host": "bare", "streams": 1}

    @property
    def bits_per_second(self) -> int:
        """On its link: of the UART, the most that SPI takes, or what a host's waiting on USB is measured by."""
        rates = {"uart": self.baud, "spi": int(self.clock_mhz * 1e6) // SPI_DIVISOR, "usb": USB_BAUD}
        return rates[self.link]

    def with_config(self, config: AcceleratorConfig) -> Board:
        """The same board with another core on it."""
        return dataclasses.replace(self, config=config)


def _check_sdram(chip: SdramChip, clock_mhz: float, config: AcceleratorConfig) -> None:
    if config.bus_bits // chip.width * BURST_BEATS > 256:
        raise BoardError(f"bus_bits must be 32 or 64 before an SDRAM of {chip.width} bits, not {config.bus_bits}")
    if not (clock_mhz <= chip.cas_3_mhz and chip.spare_ns(clock_mhz) >= _SPARE_NS):
        clocks = [mhz for mhz in range(1, int(chip.cas_3_mhz) + 1) if chip.spare_ns(mhz) >= _SPARE_NS]
        raise BoardError(
            f"the SDRAM takes no clock of {clock_mhz:g} MHz: choose {clocks[0]} to {clocks[-1]}, or a core with "
            "backing = 'none'"
        )
