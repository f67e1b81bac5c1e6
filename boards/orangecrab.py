"""OrangeCrab r0.2 with an LFE5U-25F."""

from __future__ import annotations

from typing import Any

from ..hw.spec.config import AcceleratorConfig
from .board import Board

__all__ = ["BOARD"]


def _platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
    from amaranth_boards.resources import LEDResources, UARTResource

    platform = OrangeCrabR0_2_25FPlatform()
    pins = UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33"))
    green_red = "M3 K4"  # of the three colours
    leds = LEDResources(pins=green_red, invert=True, attrs=Attrs(IO_TYPE="LVCMOS33"))
    platform.add_resources([pins, *leds])
    return platform


BOARD = Board(
    name="orangecrab",
    title="OrangeCrab r0.2, 25F",
    device="LFE5U-25F-8MG285C",
    family="ecp5",
    platform=_platform,
    input="clk",
    clock_mhz=144,
    placer="static",
    config=AcceleratorConfig(
        rows=4,
        columns=4,
        lanes=16,
        rescalers=4,
        act_words=4096,
        weight_words=1280,
        param_words=160,
        tree_stage=1,
        product_stage=1,
    ),
    memories="block RAM: 40 KB of weights, 32 KB of activations",
    host_link="USB: the FPGA itself; or a serial adapter of 3.3 V on pins 0 (to the board) and 1",
    links=("uart", "usb"),
    flash=("dfu-util", "-a", "0", "-D"),
)
