"""TensorMomentum: momentum SGD whose steps are in the root mean square of each tensor's own gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

__all__ = ["TensorMomentum"]


class TensorMomentum(torch.optim.Optimizer):
    """Steps of ``lr`` times the running mean of gradients, in units of the tensor's gradient.

    Adam divides every weight's gradient by its own size, so that weights of no clear direction move as far as others
    and keep jumping between levels. Here one size is shared by a tensor: what has hardly a gradient hardly moves.

    Parameters
    ----------
    groups : iterable of dict
        Parameters and their ``lr``.
    momentum, memory : float
        Decay of the mean of gradients, and of the mean of their squares.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], momentum: float = 0.9, memory: float = 0.99) -> None:
        super().__init__(groups, {"lr": 0.0, "momentum": momentum, "memory": memory})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move all parameters that have gradients."""
        assert closure is None, "gradients are there already"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros(())
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - group["momentum"])
        state["square"].lerp_(gradient.square().mean(), 1 - group["memory"])
        count = state["step"]
        size = (state["square"] / (1 - group["memory"] ** count)).sqrt().clamp(min=1e-20)
        parameter.sub_(state["mean"] / (1 - group["momentum"] ** count) / size, alpha=group["lr"])
