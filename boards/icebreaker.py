"""iCEBreaker: an iCE40UP5K."""

from __future__ import annotations

from amaranth_boards.icebreaker import ICEBreakerPlatform

from .board import Board
from .up5k import UP5K_CORE, UP5K_MEMORIES

__all__ = ["BOARD"]

BOARD = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    device="iCE40UP5K-SG48",
    family="ice40",
    platform=ICEBreakerPlatform,
    input="clk12",
    pll_pin=True,
    clock_mhz=24,
    config=UP5K_CORE,
    memories=UP5K_MEMORIES,
    host_link="USB: the FT2232H's second channel",
    flash=("openFPGALoader", "-b", "ice40_generic"),
)
