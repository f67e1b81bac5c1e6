"""MemorySystem: loader and storer, and the tokens between all units."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ..cells.interfaces import hand_on, members_of
from ..control.handout import WINDOW
from ..spec.config import AcceleratorConfig
from ..spec.isa import Unit
from .axi4 import Axi4
from .handout_gate import HandoutGate
from .loader import Loader
from .storer import Storer
from .tokens import Tokens
from .transfer_unit import TransferUnit

__all__ = ["MemorySystem"]

_LOADS = ("weights", "params", "activations")


class MemorySystem(wiring.Component):
    """Everything between the sequencer and the bus: executes the LOADs and STOREs that are handed out. ``idle`` is high
    when nothing is left of them, ``settled`` when nothing is under way on the bus either. Each memory that is loaded
    has a port of its name, the activations' words are read through ``words``; in a protected core ``check`` is that of
    one.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._gate = HandoutGate(config)
        self._loader, self._storer = Loader(config), Storer(config)
        self._checks = ("check",) if config.is_protected else ()
        super().__init__(
            {
                **members_of(self._gate, "handout", "stalls", "idle"),
                **members_of(self._loader, *_LOADS),
                **members_of(self._storer, "words", *self._checks),
                "window": In(WINDOW),
                "settled": Out(1),
                "m_axi": Out(Axi4(data_width=config.bus_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the units."""
        m = Module()
        config = self._config
        m.submodules.gate = gate = self._gate
        m.submodules.tokens = tokens = Tokens(config)
        m.submodules.loader = loader = TransferUnit(config, self._loader, ("bus", *_LOADS))
        m.submodules.storer = storer = TransferUnit(config, self._storer, ("bus", "words"))
        hand_on(m, self, gate, "handout", "stalls")
        hand_on(m, self, loader, *_LOADS)
        hand_on(m, self, storer, "words")
        if config.is_protected:
            m.d.comb += self.check.eq(storer.check)
        connect(m, gate.loads, loader.jobs)
        connect(m, gate.stores, storer.jobs)
        connect(m, loader.state, gate.loader)
        connect(m, storer.state, gate.storer)
        for unit, part in ((Unit.LOADER, loader), (Unit.COMPUTE, gate), (Unit.STORER, storer)):
            connect(m, part.tokens, tokens.units[unit])
        connect(m, wiring.flipped(self.window), loader.window, storer.window)
        for part in (loader, storer):
            for name, member in part.bus.signature.members.items():
                outer, inner = getattr(self.m_axi, name), getattr(part.bus, name)
                m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
            m.d.comb += part.cancel.eq(~self.handout.active)
        m.d.comb += [tokens.clear.eq(~self.handout.active), self.idle.eq(gate.idle)]
        m.d.comb += self.settled.eq(loader.settled & storer.settled)
        return m
