"""one_access: the logic of a host port that carries out one read or write at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal, Value

from ..spec.pipeline import HOST_READ_CYCLES
from ..spec.registers import REGION_BITS, Control, Region, Register

__all__ = ["Access", "one_access"]


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a port sees of its accesses.

    ``reading`` is high while a read is under way, ``ends`` in the last cycle of that, ``fails`` where it is refused
    then; ``word`` is what was read, from the cycle after. ``done`` and ``refused`` are pulses of one cycle, one of them
    for each access: 1 cycle after the request of a write, `HOST_READ_CYCLES` + 2 after that of a read. ``illegal`` is
    high with the request of a write that is refused. ``active`` is high in every cycle behind which the bus may change.
    """

    reading: Signal
    ends: Value
    fails: Value
    word: Signal
    done: Signal
    refused: Signal
    illegal: Value
    active: Value


def one_access(
    m: Module, bus: Any, request: Value, *, we: Value, adr: Value, dat_w: Value, malformed: Value, dropped: Value
) -> Access:
    """Carry out the accesses of a port.

    Parameters
    ----------
    m : Module
        Of the port.
    bus : interface of `HOST_BUS`
    request : Value
        High for a cycle in which an access is to begin; not while ``reading``.
    we, adr, dat_w : Value
        Of the request: whether it writes, which word of 32 bits, and what.
    malformed : Value
        This request is refused.
    dropped : Value
        A read under way ends without an answer.
    """
    reading, failed, done, refused = Signal(), Signal(), Signal(), Signal()
    word = Signal(32)
    wait = Signal(range(HOST_READ_CYCLES + 1))
    region, offset = Signal(Region), Signal(REGION_BITS - 2)
    asked = adr[REGION_BITS - 2 :]
    conflict = bus.busy & (asked != Region.REGISTERS) & ~(we & (asked == Region.FRAME))
    illegal = conflict | malformed
    # a run that starts while a read is on its way takes the memory's port away from it
    fails = failed | (bus.busy & (region != Region.REGISTERS))
    ends = reading & (wait == 0)
    m.d.comb += [
        bus.conflict.eq(request & we & conflict),
        bus.refused.eq(refused),
        bus.write_region.eq(region),
        bus.write_offset.eq(offset),
        bus.read_region.eq(region),
        bus.read_offset.eq(offset),
    ]
    to_control = adr == (Region.REGISTERS << REGION_BITS | Register.CONTROL.offset) >> 2
    m.d.sync += [bus.write.eq(0), bus.starts.eq(0), done.eq(0), refused.eq(0)]
    with m.If(request):
        m.d.sync += [
            region.eq(asked),
            offset.eq(adr),
            bus.write_data.eq(dat_w),
            wait.eq(HOST_READ_CYCLES),
            failed.eq(illegal),
            reading.eq(~we),
            bus.write.eq(we & ~illegal),
            bus.starts.eq(we & ~illegal & to_control & (dat_w & (Control.START | Control.FEED)).any()),
            done.eq(we & ~illegal),
            refused.eq(we & illegal),
        ]
    with m.If(reading):
        m.d.sync += [wait.eq(wait - 1), failed.eq(fails)]
        with m.If(dropped):
            m.d.sync += reading.eq(0)
        with m.Elif(ends):
            m.d.sync += [reading.eq(0), word.eq(bus.read_data), done.eq(~fails), refused.eq(fails)]
    return Access(
        reading=reading,
        ends=ends,
        fails=ends & fails,
        word=word,
        done=done,
        refused=refused,
        illegal=we & illegal,
        active=request | reading | bus.write | refused,
    )
