"""UPduino v3: an iCE40UP5K."""

from __future__ import annotations

from typing import Any

from .board import Board
from .up5k import UP5K_CORE, UP5K_MEMORIES, flash_spi

__all__ = ["BOARD"]


def _platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.resources import LEDResources, UARTResource
    from amaranth_boards.upduino_v3 import UpduinoV3Platform

    platform = UpduinoV3Platform()
    platform.default_clk = "clk12"  # its internal oscillator is too inexact for a UART: close the jumper OSC
    pins = UARTResource(0, rx="38", tx="28", attrs=Attrs(IO_STANDARD="SB_LVCMOS"))
    green_red = "39 41"  # of the three colours
    leds = LEDResources(pins=green_red, invert=True, attrs=Attrs(IO_STANDARD="SB_LVCMOS"))
    platform.add_resources([pins, flash_spi("16"), *leds])
    return platform


BOARD = Board(
    name="upduino",
    title="tinyVision UPduino v3",
    device="iCE40UP5K-SG48",
    family="ice40",
    platform=_platform,
    input="clk12",
    clock_mhz=30,
    link_clocks=(("spi", 27),),
    config=UP5K_CORE,
    memories=UP5K_MEMORIES,
    host_link="a serial adapter of 3.3 V on pins 38 (to the board) and 28, or SPI over USB; jumper OSC closed",
    usb_chip=(0x0403, 0x6014),
    links=("uart", "spi"),
    ftdi_select=1,
    flash=("openFPGALoader", "-b", "upduino3"),
)
