"""Digilent Arty A7-35: an Artix 7, which only the vendor's tools place."""

from __future__ import annotations

from typing import Any

from ..hw.spec.config import AcceleratorConfig
from .board import Board

__all__ = ["BOARD"]


def _platform() -> Any:
    from amaranth_boards.arty_a7 import ArtyA7_35Platform

    return ArtyA7_35Platform()


BOARD = Board(
    name="arty-a7-35",
    title="Digilent Arty A7-35",
    device="XC7A35TI-CSG324-1L",
    family="xilinx",
    platform=_platform,
    input="clk100",
    clock_mhz=100,
    config=AcceleratorConfig(
        rows=4,
        columns=4,
        lanes=16,
        rescalers=4,
        act_words=8192,
        weight_words=2048,
        param_words=256,
        tree_stage=1,
    ),
    memories="block RAM: 64 KB of weights, 64 KB of activations",
    host_link="USB: the FT2232H's second channel",
    usb_chip=(0x0403, 0x6010),
    flash=("openFPGALoader", "-b", "arty"),
    vendor_only=True,
)
