"""PriorityArbiter: several clients of a memory behind one port of it, the first of them never kept waiting."""

from __future__ import annotations

import contextlib

from amaranth.hdl import Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.interfaces import MemoryRead, MemoryWrite

__all__ = ["PriorityArbiter"]


class PriorityArbiter(wiring.Component):
    """In each cycle the first of ``clients`` that is ``valid`` has the port; the others find ``ready`` low. What the
    memory answers goes to all of them. Combinational.

    Parameters
    ----------
    signature : MemoryRead or MemoryWrite
        Of the port, and of each client.
    count : int
        Clients, at least 1.
    """

    def __init__(self, signature: MemoryRead | MemoryWrite, count: int) -> None:
        self._signature = signature
        super().__init__({"clients": In(signature).array(count), "memory": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        """The last client has the port where nobody asks for it: that takes the fewest gates."""
        m = Module()
        asked = {name for name, member in self._signature.members.items() if member.flow is Out}
        given = self._signature.members.keys() - asked - {"ready"}
        free: Value = Const(1)
        for client in self.clients:
            m.d.comb += client.ready.eq(free & self.memory.ready)
            m.d.comb += [getattr(client, name).eq(getattr(self.memory, name)) for name in sorted(given)]
            free = free & ~client.valid
        *before, last = self.clients
        for number, client in enumerate(before):
            with m.Elif(client.valid) if number else m.If(client.valid):
                m.d.comb += [getattr(self.memory, name).eq(getattr(client, name)) for name in sorted(asked)]
        with m.Else() if before else contextlib.nullcontext():
            m.d.comb += [getattr(self.memory, name).eq(getattr(last, name)) for name in sorted(asked)]
        return m
