"""Activations: the activation memory, and who may use it when."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from ..cells.interfaces import hand_on, members_of
from ..spec.config import AcceleratorConfig
from .activation_memory import ActivationMemory, words_read, words_write
from .host_words import HostWords
from .priority_arbiter import PriorityArbiter

__all__ = ["Activations"]


class Activations(wiring.Component):
    """Clients of the activation memory, the first served first: the core, which never waits; loader and storer, bank by
    bank; the feeder, where there is one; the host, in cycles in which these do nothing of the kind.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._memory, self._host = ActivationMemory(config), HostWords(config)
        self._transfers = ("load", "store") if config.has_backing else ()
        self._checks = ("reading", "check") if config.is_protected else ()
        super().__init__(
            {
                "read": In(words_read(config)),
                "writes": In(words_write(config)).array(config.drain_rows),
                **({"feed": In(words_write(config))} if config.frame_bytes else {}),
                **members_of(self._host, "busy", "host", "offset", "beat", *self._checks),
                **members_of(self._memory, *self._transfers),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Feeder and host come behind the core at the same ports; loader and storer have their own."""
        m = Module()
        behind = [flipped(self.feed)] if self._config.frame_bytes else []
        behind.append(self._host.write)
        m.submodules.memory = memory = self._memory
        m.submodules.host = host = self._host
        m.submodules.reads = reads = PriorityArbiter(words_read(self._config), 2)
        m.submodules.first_writes = first = PriorityArbiter(words_write(self._config), 1 + len(behind))
        connect(m, flipped(self.read), reads.clients[0])
        connect(m, host.read, reads.clients[1])
        connect(m, reads.memory, memory.read)
        connect(m, flipped(self.writes[0]), first.clients[0])
        for client, port in zip(behind, first.clients[1:], strict=True):
            connect(m, client, port)
        connect(m, first.memory, memory.writes[0])
        for beside, port in zip(self.writes[1:], memory.writes[1:], strict=True):
            connect(m, flipped(beside), port)
        hand_on(m, self, host, "host")
        for name in self._checks:
            outer, inner = getattr(self, name), getattr(host, name)
            m.d.comb += outer.eq(inner) if name == "check" else inner.eq(outer)
        hand_on(m, self, memory, *self._transfers)
        m.d.comb += [host.busy.eq(self.busy), host.offset.eq(self.offset), self.beat.eq(host.beat)]
        return m
