"""The core for the iCE40UP5K: the smallest form, with weights and activations in the four single-port memories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hw.spec.config import AcceleratorConfig

if TYPE_CHECKING:
    from amaranth.build import Resource

__all__ = ["UP5K_CORE", "UP5K_MEMORIES", "UP5K_SPI_BITS", "flash_spi"]

UP5K_CORE = AcceleratorConfig(
    rows=2,
    columns=2,
    lanes=4,
    rescalers=1,
    act_words=16384,
    weight_words=16384,
    param_words=1024,
    taps=256,
    blocks=32,
    instructions=16,
    dsp_lanes=4,
    prefetch=0,
    max_pool=0,
    counters=0,
    memories="single",
)
"""16 units on all eight hard multipliers. More could not be fed: two memories give two activation words of 16 bits a
cycle, the other two a weight word of 32."""

UP5K_MEMORIES = "SPRAM: 64 KB of weights, 32 KB of activations"

UP5K_SPI_BITS = 7_000_000
"""Bits a second, about, at which it reads its bitstream where that asks for nothing faster."""


def flash_spi(cs_n: str) -> Resource:
    """SPI from the USB chip over the lines of the configuration flash, the core selected by a pin of the FPGA's.

    That may be the flash's own select: an iCE40 sends the flash to sleep when it has read its bitstream
    (``icepack`` puts the command at its end), and only a byte 0xAB wakes it; a request begins with another one.
    """
    from amaranth.build import Attrs, Pins, Resource, Subsignal

    attrs = Attrs(IO_STANDARD="SB_LVCMOS")
    return Resource(
        "spi",
        0,
        Subsignal("cs_n", Pins(cs_n, dir="i"), Attrs(PULLUP=1)),
        Subsignal("sck", Pins("15", dir="i")),
        Subsignal("copi", Pins("14", dir="i")),
        Subsignal("cipo", Pins("17", dir="o")),
        attrs,
    )
