"""RegisterSlice: registers between an AXI4 master and a slave, so that no path leads through both."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from .axi4 import Axi4

__all__ = ["RegisterSlice"]

_FORWARD = ("ar", "aw", "w")
"""Channels that the master drives; the slave drives ``r`` and ``b``."""


class RegisterSlice(wiring.Component):
    """Hands all channels of AXI4 on a cycle later, a beat a cycle. Every output comes from a register: each channel
    keeps a second beat for the cycle in which the one before it was not taken.

    Parameters
    ----------
    data_width : int
        Bits of a beat.
    """

    def __init__(self, *, data_width: int) -> None:
        bus = Axi4(data_width=data_width)
        super().__init__({"master": In(bus), "slave": Out(bus)})

    def elaborate(self, platform: object) -> Module:
        """A pair of places for each channel."""
        m = Module()
        signature: Signature = self.slave.signature
        for channel in (*_FORWARD, "r", "b"):
            source, target = (self.master, self.slave) if channel in _FORWARD else (self.slave, self.master)
            names = [name for name in signature.members if _channel_of(name) == channel]
            payload = [name for name in names if name not in (f"{channel}valid", f"{channel}ready")]
            _hand_on(
                m,
                channel,
                _ends(source, channel, payload),
                _ends(target, channel, payload),
            )
        return m


def _channel_of(name: str) -> str:
    return name[:2] if name[:2] in ("ar", "aw") else name[0]


def _ends(bus: Any, channel: str, payload: list[str]) -> tuple[Value, Value, Value]:
    """Valid, ready and payload of a channel."""
    return (
        getattr(bus, f"{channel}valid"),
        getattr(bus, f"{channel}ready"),
        Cat(getattr(bus, name) for name in payload),
    )


def _hand_on(m: Module, name: str, source: tuple[Value, Value, Value], target: tuple[Value, Value, Value]) -> None:
    given_valid, given_ready, given = source
    valid, ready, payload = target
    kept = Signal(len(given), name=f"{name}_kept", reset_less=True)
    offered = Signal(len(given), name=f"{name}_offered", reset_less=True)
    free, full = Signal(init=1, name=f"{name}_free"), Signal(name=f"{name}_full")  # nothing is kept; one is offered
    m.d.comb += [given_ready.eq(free), valid.eq(full), payload.eq(offered)]
    with m.If(free):
        m.d.sync += kept.eq(given)
    with m.If(ready | ~full):
        m.d.sync += [offered.eq(Mux(free, given, kept)), full.eq(given_valid | ~free), free.eq(1)]
    with m.Elif(given_valid):
        m.d.sync += free.eq(0)
