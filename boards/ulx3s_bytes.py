"""ULX3S with an LFE5U-85F, its units for 8-bit activations and weights of up to 5 bits, in its multipliers."""

from __future__ import annotations

import dataclasses

from . import ulx3s

__all__ = ["BOARD"]

BOARD = dataclasses.replace(
    ulx3s.BOARD,
    name="ulx3s-bytes",
    title="Radiona ULX3S, 85F, 8-bit activations",
    clock_mhz=70,
    config=dataclasses.replace(
        ulx3s.BOARD.config,
        weight_base="int5",
        act_base="int8",
        planes=0,
        acc_bits=24,
        dsp_lanes=16,
        act_words=8192,
        weight_words=5120,
    ),
    memories="block RAM: 200 KB of weights, 128 KB of activations",
)
