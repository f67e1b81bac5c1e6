"""ULX3S with an LFE5U-85F: the core of `ulx3s` with a third of its weights on the chip, and the board's SDRAM behind
it."""

from __future__ import annotations

import dataclasses

from ..hw.spec.sdram import AS4C32M16
from . import ulx3s

__all__ = ["BOARD"]

BOARD = dataclasses.replace(
    ulx3s.BOARD,
    name="ulx3s-sdram",
    title="Radiona ULX3S, 85F, with its SDRAM",
    clock_mhz=80,
    sdram=AS4C32M16,
    config=dataclasses.replace(
        ulx3s.BOARD.config,
        weight_words=2048,
        param_words=256,
        instructions=512,
        backing="axi4",
        bus_bits=32,
    ),
    memories="block RAM: 64 KB of weights, 128 KB of activations; SDRAM: 64 MB (AS4C32M16)",
)
