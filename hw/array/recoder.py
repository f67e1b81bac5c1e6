"""Recoder: a code to the operand that multipliers take."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.netlist import LookupTable, NetlistPlatform
from .operand import Operand

__all__ = ["Recoder"]


class Recoder(wiring.Component):
    """``operand`` of ``code``, `Operand.recode`; combinational, a look-up table or two a bit.

    Parameters
    ----------
    operand : Operand
    side : str
        ``"x"`` or ``"w"``: what it is an operand for.
    """

    def __init__(self, operand: Operand, side: str) -> None:
        self._kind, self._side = operand, side
        super().__init__({"code": In(operand.base.bits), "operand": Out(operand.layout)})

    def elaborate(self, platform: object) -> Module:
        """Each predecoded bit as what its levels say."""
        kind = self._kind
        if isinstance(platform, NetlistPlatform):
            table = LookupTable(
                inputs={"code": kind.base.bits},
                outputs={"operand": tuple(map(kind.bits, range(1 << kind.base.bits)))},
                inverted={},
            )
            instance = platform.instance(self, f"narrows_recode_{self._side}", table)
            if instance is not None:
                return instance
        m = Module()
        m.d.comb += self.operand.eq(kind.recode(self.code))
        return m
