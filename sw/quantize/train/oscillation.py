"""Freezer: weights that jump back and forth between neighbouring levels are stopped at the one they are at most."""

from __future__ import annotations

import torch
from torch import Tensor

from .mac import TrainedMac
from .network import Network

__all__ = ["Freezer"]

_MEMORY = 0.02
"""Part of the running means that one step is."""

_KEPT = ("level", "direction", "rate", "mean", "frozen")


class Freezer:
    """Counts how often weights turn back, and freezes those that do too often (arXiv 2203.11086).

    A jump to another level in the direction opposite to the last one is a turn. A weight whose running rate of turns
    exceeds ``limit`` stays from then on at the level nearest to the running mean of its levels.

    Parameters
    ----------
    network : Network
    limit : float
        Turns a step, above 0.
    """

    def __init__(self, network: Network, limit: float) -> None:
        self.network, self.limit = network, limit
        self.state: dict[str, dict[str, Tensor]] = {}

    @property
    def frozen(self) -> int:
        """Weights that are frozen."""
        return sum(int(parts["frozen"].sum()) for parts in self.state.values())

    @torch.no_grad()
    def observe(self) -> None:
        """Take in the levels of the last pass, after the step that followed it."""
        for name, mac in self.network.named_modules():
            if isinstance(mac, TrainedMac) and mac.seen is not None:
                self._observe(name, mac)

    def _observe(self, name: str, mac: TrainedMac) -> None:
        assert mac.seen is not None, "the caller has looked"
        levels, ratios = mac.seen
        if name not in self.state:
            still = torch.zeros_like(levels)
            self.state[name] = dict(zip(_KEPT, (levels, still, still, levels.clone(), still.bool()), strict=True))
            return
        parts = self.state[name]
        jump = torch.sign(levels - parts["level"])
        turned = (jump != 0) & (parts["direction"] != 0) & (jump != parts["direction"])
        rate = torch.lerp(parts["rate"], turned.to(levels.dtype), _MEMORY)
        mean = torch.where(parts["frozen"], parts["mean"], torch.lerp(parts["mean"], levels, _MEMORY))
        frozen = parts["frozen"] | (rate > self.limit)
        direction = torch.where(jump != 0, jump, parts["direction"])
        self.state[name] = dict(zip(_KEPT, (levels, direction, rate, mean, frozen), strict=True))
        mac.hold(frozen, mean, ratios)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """All counts, for a checkpoint."""
        return self.state

    def load_state_dict(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Go on with the counts of a checkpoint."""
        self.state = state
