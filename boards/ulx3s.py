"""ULX3S with an LFE5U-85F."""

from __future__ import annotations

from typing import Any

from ..hw.spec.config import AcceleratorConfig
from .board import Board
from .boot_flash import BootFlash

__all__ = ["BOARD"]


def _platform() -> Any:
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


BOOT_FLASH = BootFlash(
    chip="IS25LP128F",
    size=16 << 20,
    offset=3 << 20,  # an LFE5U-85F's bitstream with all its block RAMs takes 2.34 MB uncompressed
    resource="spi_flash",
    clock_cell=True,
    bits_per_second=62_000_000,
    pack="--compress --freq 62.0",
    write=("openFPGALoader", "-b", "ulx3s", "-f", "-o", "{offset}"),
)

BOARD = Board(
    name="ulx3s",
    title="Radiona ULX3S, 85F",
    device="LFE5U-85F-6BG381C",
    family="ecp5",
    platform=_platform,
    input="clk25",
    clock_mhz=120,
    link_clocks=(("usb", 100),),
    config=AcceleratorConfig(
        rows=4,
        columns=4,
        lanes=16,
        rescalers=4,
        act_words=16384,
        weight_words=6144,
        param_words=768,
        tree_stage=1,
        product_stage=1,
        frame_bytes=4096,
    ),
    baud=3_000_000,
    memories="block RAM: 192 KB of weights, 128 KB of activations",
    host_link="USB: the FT231X beside it (US1), or the FPGA itself (US2)",
    links=("uart", "usb"),
    usb_chip=(0x0403, 0x6015),
    flash=("openFPGALoader", "-b", "ulx3s"),
    boot_flash=BOOT_FLASH,
)
