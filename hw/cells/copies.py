"""copy_of, copies_of: registers of one value that synthesis leaves apart."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

__all__ = ["copies_of", "copy_of"]


def copy_of(m: Module, value: Value, copy: int, name: str) -> Signal:
    """Register of ``value``, the first (``copy`` 0) or second of two, each near what takes it.

    The first starts from zeros and the second from ones, which nobody may see: synthesis would make one register of two
    that start alike. A reset leaves both alone.
    """
    register = Signal(len(value), name=name, init=-copy % (1 << len(value)), reset_less=True)
    m.d.sync += register.eq(value)
    return register


def copies_of(m: Module, value: Value, cycles: int, name: str, *, most: int) -> list[Value]:
    """``value`` so many ``cycles`` later, up to ``most`` times (a power of two): the last ranks of registers double.

    No register then has to reach all that take the value: every one feeds two of the next rank. Without cycles it is
    the value itself, once.
    """
    copies = [value]
    for rank in range(cycles):
        children = 2 if most >> (cycles - 1 - rank) > 1 else 1
        copies = [
            copy_of(m, each, child, f"{name}{rank}_{children * index + child}")
            for index, each in enumerate(copies)
            for child in range(children)
        ]
    return copies
