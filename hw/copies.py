"""copy_of: registers of one value that synthesis leaves apart."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

__all__ = ["copy_of"]


def copy_of(m: Module, value: Value, copy: int, name: str) -> Signal:
    """Register of ``value``, the first (``copy`` 0) or second of two, each near what takes it.

    The first starts from zeros and the second from ones, which nobody may see: synthesis would make one register of two
    that start alike. A reset leaves both alone.
    """
    register = Signal(len(value), name=name, init=-copy % (1 << len(value)), reset_less=True)
    m.d.sync += register.eq(value)
    return register
