"""Helpers of unit tests on Amaranth's simulator: one clocked run of one component."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from numpy.typing import ArrayLike

__all__ = ["pack", "signed", "simulate", "unpack"]


def simulate(component: wiring.Component, bench: Callable[[Any], Awaitable[None]]) -> None:
    """Run one test bench ``async bench(ctx)`` against a component with a clock, even one that needs none."""
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = component
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def pack(values: ArrayLike, width: int) -> int:
    """One integer of fields of ``width`` bits, the first in the low bits, from values of any sign."""
    result = 0
    for place, value in enumerate(np.ravel(np.asarray(values)).tolist()):
        result |= (value & ((1 << width) - 1)) << (width * place)
    return result


def unpack(word: int, width: int, count: int) -> list[int]:
    """The unsigned fields of :func:`pack`."""
    return [word >> (width * place) & ((1 << width) - 1) for place in range(count)]


def signed(value: int, width: int) -> int:
    """A field as two's complement."""
    return value - (1 << width) if value >> (width - 1) else value
