"""Multiplier: magnitudes of two native 4-bit codes to the magnitude of their product, one table of six inputs."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .spec.digits import NATIVE

__all__ = ["Multiplier", "PRODUCT_BITS"]

PRODUCT_BITS = (NATIVE.top**2).bit_length()
"""Width of a product magnitude."""


class Multiplier(wiring.Component):
    """``product = level(a) * level(b)`` for magnitude codes ``a`` and ``b``; combinational.

    Signs are not its business: the adder tree defers them. A table of the six code bits synthesises smaller than any
    decoding to linear form followed by a multiplication.
    """

    def __init__(self) -> None:
        super().__init__({
            "a": In(NATIVE.magnitude_bits),
            "b": In(NATIVE.magnitude_bits),
            "product": Out(PRODUCT_BITS),
        })

    def elaborate(self, platform: object) -> Module:
        """Tabulate the products that are not zero."""
        m = Module()
        with m.Switch(self.a):
            for a, level_a in enumerate(NATIVE.magnitudes):
                with m.Case(a), m.Switch(self.b):
                    for b, level_b in enumerate(NATIVE.magnitudes):
                        if level_a * level_b:
                            with m.Case(b):
                                m.d.comb += self.product.eq(level_a * level_b)
        return m
