"""Faults in the hardware: components that lie in one detail, and wrong ones that a core is then generated with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from narrows.hw import compute
from narrows.hw.array import dot
from narrows.hw.cells.interfaces import hand_on
from narrows.hw.drain import drain

__all__ = ["FAULTS"]


def _faulty(kind: type[wiring.Component], fault: Callable[[Module, Any, Any], None]) -> type[wiring.Component]:
    """A component like ``kind`` whose ports reach a genuine one, but for what ``fault(m, outer, inner)`` overrides."""

    class Faulty(kind):
        def __init__(self, *args: Any, **options: Any) -> None:
            self._arguments, self._options = args, options
            super().__init__(*args, **options)

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.submodules.inner = inner = kind(*self._arguments, **self._options)
            for name, member in self.signature.members.items():
                if member.is_signature:
                    hand_on(m, self, inner, name)
                    continue
                outside, inside = getattr(self, name), getattr(inner, name)
                m.d.comb += inside.eq(outside) if member.flow is In else outside.eq(inside)
            fault(m, self, inner)
            return m

    return Faulty


def _product(m: Module, outer: Any, inner: Any) -> None:
    """3 times 2 gives 7."""
    m.d.comb += outer.product.eq(inner.product ^ ((outer.x.code == 3) & (outer.w.code == 2)))


def _shift(m: Module, outer: Any, inner: Any) -> None:
    """A shift by 8 shifts by 9."""
    m.d.comb += inner.shift.eq(outer.shift + (outer.shift == 8))


def _delta(m: Module, outer: Any, inner: Any) -> None:
    """The step from an odd output pixel to the next is one too long."""
    m.d.comb += inner.instruction.fields.out_dx_odd.eq(outer.instruction.fields.out_dx_odd + 1)


FAULTS: dict[str, tuple[Any, str, type[wiring.Component]]] = {
    "table entry": (dot, "Multiplier", _faulty(dot.Multiplier, _product)),
    "shift": (drain, "Rescaler", _faulty(drain.Rescaler, _shift)),
    "address delta": (compute, "OutputWriter", _faulty(compute.OutputWriter, _delta)),
}
"""By what is wrong: the module and the name there that a wrong component takes."""
