"""Sipeed Tang Nano 9K: a Gowin GW1NR-9C."""

from __future__ import annotations

from typing import Any

from ..hw.spec.config import AcceleratorConfig
from .board import Board

__all__ = ["BOARD"]


def _platform() -> Any:
    from amaranth_boards.tang_nano_9k import TangNano9kPlatform

    return TangNano9kPlatform()


BOARD = Board(
    name="tang-nano-9k",
    title="Sipeed Tang Nano 9K",
    device="GW1NR-LV9QN88PC6/I5",
    family="gowin",
    platform=_platform,
    input="clk27",
    clock_mhz=27,
    baud=900_000,
    config=AcceleratorConfig(
        rows=2,
        columns=2,
        lanes=4,
        rescalers=1,
        act_words=4096,
        weight_words=4096,
        param_words=1024,
        taps=256,
        blocks=64,
        instructions=32,
        prefetch=0,
    ),
    memories="block RAM: 16 KB of weights, 8 KB of activations",
    host_link="USB: the BL702 beside it",
    usb_chip=(0x0403, 0x6010),
    flash=("openFPGALoader", "-b", "tangnano9k"),
)
