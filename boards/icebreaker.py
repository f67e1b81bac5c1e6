"""iCEBreaker: an iCE40UP5K."""

from __future__ import annotations

from typing import Any

from .board import Board
from .boot_flash import BootFlash
from .up5k import UP5K_CORE, UP5K_MEMORIES, UP5K_SPI_BITS, flash_spi

__all__ = ["BOARD"]


def _platform() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    platform = ICEBreakerPlatform()
    platform.add_resources([flash_spi("11")])  # the red LED's pin, which jumper AUX CS joins to ADBUS3
    return platform


BOARD = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    device="iCE40UP5K-SG48",
    family="ice40",
    platform=_platform,
    input="clk12",
    pll_pin=True,
    clock_mhz=30,
    link_clocks=(("spi", 27),),
    config=UP5K_CORE,
    baud=3_000_000,
    memories=UP5K_MEMORIES,
    host_link="USB: UART on the FT2232H's second channel, SPI on its first one (jumper AUX CS closed)",
    usb_chip=(0x0403, 0x6010),
    links=("uart", "spi"),
    flash=("openFPGALoader", "-b", "ice40_generic"),
    boot_flash=BootFlash(
        chip="W25Q128JV",
        size=16 << 20,
        offset=128 << 10,  # an iCE40UP5K's bitstream takes 104,090 bytes
        resource="spi_flash_1x",
        links=("spi",),
        bits_per_second=UP5K_SPI_BITS,
        write=("openFPGALoader", "-b", "ice40_generic", "-f", "-o", "{offset}"),
    ),
)
