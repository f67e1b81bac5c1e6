"""iCEBreaker with a core for streaming keyword models: 8-bit activations, states on chip, more instructions."""

from __future__ import annotations

import dataclasses

from . import icebreaker

__all__ = ["BOARD"]

BOARD = dataclasses.replace(
    icebreaker.BOARD,
    name="icebreaker-stream",
    title="1BitSquared iCEBreaker, streaming keyword models",
    clock_mhz=24,
    config=dataclasses.replace(icebreaker.BOARD.config, acc_bits=18, instructions=32, blocks=256, param_words=1536),
    boot_flash=None,
)
