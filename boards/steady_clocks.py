"""SteadyClocks: clocks that stand still until they are steady, in place of a reset."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .lock_wait import lock_wait

__all__ = ["SteadyClocks"]


class SteadyClocks(wiring.Component):
    """Hands ``count`` clocks on once the clock generators are locked, `lock_wait` of their input.

    Configuration leaves every register of an ECP5 with its initial value, which is what a reset would give it. So what
    these clocks drive needs none, as long as it sees no edge before they are steady: no wire leads from one register to
    all others, which decided the clock of whole designs.

    Each clock goes through a cell DCCA, which starts and stops it between two pulses (Lattice FPGA-TN-02200). A lost
    lock stops the clocks; they go on with the next.

    Parameters
    ----------
    count : int
        Of clocks.
    gated : bool
        The first one leaves a second time.

    Attributes
    ----------
    input : In(1)
        The clock generators' input, which runs all the time. It is not one of ``clocks``.
    locked : In(1)
        Of the clock generators, asynchronous.
    clocks : In(count)
        Of the clock generators.
    steady : Out(count)
        The same, without their first pulses.
    running : Out(1)
        High while they are let through, a register of ``input``.
    rests : In(1)
        Where ``gated``: ``work`` may stand still from the next cycle of the first clock on.
    work : Out(1)
        The first of ``steady`` once more, without edges behind cycles in which ``rests`` was high. It is a cell beside
        the first's, so both have the same phase.
    """

    def __init__(self, count: int = 1, *, gated: bool = False) -> None:
        self._count, self._gated = count, gated
        super().__init__(
            {"input": In(1), "locked": In(1), "clocks": In(count), "steady": Out(count), "running": Out(1)}
            | ({"rests": In(1), "work": Out(1)} if gated else {})
        )

    def elaborate(self, platform: object) -> Module:
        """Wait, and a synchroniser and a cell for every clock."""
        m = Module()
        m.domains.input = ClockDomain(reset_less=True, local=True)
        m.d.comb += ClockSignal("input").eq(self.input)
        m.d.comb += self.running.eq(lock_wait(m, "input", self.locked))
        for index in range(self._count):
            domain, enable = f"generated{index}", Signal(2, name=f"enable{index}")
            m.domains += ClockDomain(domain, reset_less=True, local=True)
            m.d.comb += ClockSignal(domain).eq(self.clocks[index])
            m.d[domain] += enable.eq(enable << 1 | self.running)
            m.submodules[f"gate{index}"] = Instance(
                "DCCA", i_CLKI=self.clocks[index], i_CE=enable[1], o_CLKO=self.steady[index]
            )
            if self._gated and index == 0:
                works = Signal()
                m.d[domain] += works.eq(enable[0] & ~self.rests)
                m.submodules.work_gate = Instance("DCCA", i_CLKI=self.clocks[0], i_CE=works, o_CLKO=self.work)
        return m
