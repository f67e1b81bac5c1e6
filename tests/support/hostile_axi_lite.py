"""HostileMaster: an AXI4-Lite master that keeps the rules and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["HostileMaster", "Request"]

_PATIENCE = 2000  # cycles without an answer


@dataclass(frozen=True)
class Request:
    """A read, or a write of ``value`` in the bytes that ``strobe`` names."""

    address: int
    value: int = 0
    strobe: int = 0b1111


class HostileMaster:
    """Offers addresses of writes, their data and reads each when it likes, in any order to each other, and takes
    answers when it likes; what it offers stays until it is taken. It watches that answers do, too.

    Parameters
    ----------
    ctx : context of an Amaranth test bench
    pins : interface of `AxiLite`
    rng : random.Random
    share : float
        Of the cycles in which a channel pauses; 0: none does.
    watch : callable
        Called once a cycle.
    """

    def __init__(
        self, ctx: Any, pins: Any, rng: random.Random, *, share: float, watch: Callable[[], None] = lambda: None
    ) -> None:
        self._ctx, self._pins, self._rng, self._share, self._watch = ctx, pins, rng, share, watch

    async def play(self, writes: list[Request], reads: list[Request]) -> tuple[list[int], list[tuple[int, int]]]:
        """Responses of the writes; words and responses of the reads."""
        offers = {
            "aw": [{"awaddr": request.address} for request in writes],
            "w": [{"wdata": request.value, "wstrb": request.strobe} for request in writes],
            "ar": [{"araddr": request.address} for request in reads],
        }
        offered = dict.fromkeys(offers, False)
        answers: dict[str, list[tuple[int, ...]]] = {"b": [], "r": []}
        held: dict[str, tuple[int, ...] | None] = dict.fromkeys(answers)
        quiet = 0
        while len(answers["b"]) < len(writes) or len(answers["r"]) < len(reads):
            for channel, waiting in offers.items():
                if waiting and not offered[channel] and self._goes_on():
                    offered[channel] = True
                    for name, value in waiting[0].items():
                        self._ctx.set(getattr(self._pins, name), value)
                self._ctx.set(getattr(self._pins, f"{channel}valid"), offered[channel])
            taken = {channel for channel in offers if offered[channel] and self._get(f"{channel}ready")}
            quiet += 1
            for channel, found in answers.items():
                ready = self._goes_on()
                self._ctx.set(getattr(self._pins, f"{channel}ready"), ready)
                names = ("bresp",) if channel == "b" else ("rdata", "rresp")
                shown = tuple(self._get(name) for name in names) if self._get(f"{channel}valid") else None
                assert held[channel] in (None, shown), f"channel {channel} took an answer back"
                held[channel] = None if ready else shown
                if ready and shown is not None:
                    found.append(shown)
                    quiet = 0
            assert quiet < _PATIENCE, "no answer"
            self._watch()
            await self._ctx.tick()
            for channel in taken:
                offered[channel] = False
                offers[channel].pop(0)
        for name in ("awvalid", "wvalid", "arvalid"):
            self._ctx.set(getattr(self._pins, name), 0)
        assert len(answers["b"]) == len(writes) and len(answers["r"]) == len(reads)
        return [response for (response,) in answers["b"]], [(word, response) for word, response in answers["r"]]

    def _goes_on(self) -> bool:
        return self._rng.random() >= self._share

    def _get(self, name: str) -> int:
        return self._ctx.get(getattr(self._pins, name))
