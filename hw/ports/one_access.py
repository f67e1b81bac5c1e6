"""one_access: the logic of a host port that carries out one read or write at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal, Value

from ..spec.pipeline import HOST_READ_CYCLES
from ..spec.registers import REGION_BITS, Region

__all__ = ["Access", "one_access"]


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a port sees of its accesses.

    ``reading`` is high while a read is under way. ``done`` and ``refused`` are pulses of one cycle, one of them for
    each access: 1 cycle after the request of a write, `HOST_READ_CYCLES` + 2 after that of a read. ``fails`` is high in
    the cycle before a read is refused.
    """

    reading: Signal
    done: Signal
    refused: Signal
    fails: Value


def one_access(m: Module, bus: Any, pins: Any, request: Value, *, malformed: Value, dropped: Value) -> Access:
    """Carry out the accesses of a port.

    Parameters
    ----------
    m : Module
        Of the port.
    bus : interface of `HOST_BUS`
    pins : interface with ``we``, ``adr``, ``dat_w`` and ``dat_r``
    request : Value
        High for a cycle in which an access is to begin; not while ``reading``.
    malformed : Value
        The write of this request is refused.
    dropped : Value
        A read under way ends without an answer.
    """
    reading, failed, done, refused = Signal(), Signal(), Signal(), Signal()
    wait = Signal(range(HOST_READ_CYCLES + 1))
    region, offset = Signal(Region), Signal(REGION_BITS - 2)
    conflict = bus.busy & (pins.adr[REGION_BITS - 2 :] != Region.REGISTERS)
    # a run that starts while a read is on its way takes the memory's port away from it
    fails = failed | (bus.busy & (region != Region.REGISTERS))
    m.d.comb += [
        bus.conflict.eq(request & conflict),
        bus.write_region.eq(region),
        bus.write_offset.eq(offset),
        bus.read_region.eq(region),
        bus.read_offset.eq(offset),
    ]
    m.d.sync += [bus.write.eq(0), done.eq(0), refused.eq(0)]
    with m.If(request):
        illegal = conflict | malformed
        m.d.sync += [
            region.eq(pins.adr[REGION_BITS - 2 :]),
            offset.eq(pins.adr),
            bus.write_data.eq(pins.dat_w),
            wait.eq(HOST_READ_CYCLES),
            failed.eq(conflict),
            reading.eq(~pins.we),
            bus.write.eq(pins.we & ~illegal),
            done.eq(pins.we & ~illegal),
            refused.eq(pins.we & illegal),
        ]
    with m.If(reading):
        m.d.sync += [wait.eq(wait - 1), failed.eq(fails)]
        with m.If(dropped):
            m.d.sync += reading.eq(0)
        with m.Elif(wait == 0):
            m.d.sync += [reading.eq(0), pins.dat_r.eq(bus.read_data), done.eq(~fails), refused.eq(fails)]
    return Access(reading=reading, done=done, refused=refused, fails=reading & (wait == 0) & fails)
