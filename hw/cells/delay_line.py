"""delayed, kept, DelayLine: values some cycles later, through registers or through a block RAM instead."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DelayLine", "delayed", "kept"]


def delayed(m: Module, value: Any, cycles: int, name: str, *, reset_less: bool = True) -> Any:
    """``value`` through ``cycles`` registers, which a reset leaves alone unless they tell what is valid."""
    for stage in range(cycles):
        register = Signal.like(value, name=f"{name}{stage}", reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value


def kept(m: Module, name: str, *values: Any) -> list[Any]:
    """Registers of some values that go on together, which a reset leaves alone."""
    return [delayed(m, Value.cast(value), 1, f"{name}_{index}_") for index, value in enumerate(values)]


class DelayLine(wiring.Component):
    """``y`` is ``x`` ``cycles`` cycles later.

    A reset does not clear what is under way. At power-up everything is zero, as in registers.

    Parameters
    ----------
    width : int
        Bits.
    cycles : int
        At least 2.
    """

    def __init__(self, *, width: int, cycles: int) -> None:
        if cycles < 2:
            raise ValueError(f"cycles must be at least 2, not {cycles!r}")
        self._width, self._cycles = width, cycles
        super().__init__({"x": In(width), "y": Out(width)})

    def elaborate(self, platform: object) -> Module:
        """A ring that is written and read in every cycle."""
        m = Module()
        index_bits = self._cycles.bit_length()
        attributes = {"ram_style": "block"}
        m.submodules.ring = ring = memory.Memory(shape=self._width, depth=1 << index_bits, init=[], attrs=attributes)
        write, read = ring.write_port(), ring.read_port(domain="sync")
        now = Signal(index_bits)
        m.d.sync += now.eq(now + 1)
        m.d.comb += [
            write.en.eq(1),
            write.addr.eq(now),
            write.data.eq(self.x),
            read.en.eq(1),
            read.addr.eq(now - (self._cycles - 1)),
            self.y.eq(read.data),
        ]
        return m
