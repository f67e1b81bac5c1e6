"""What training minimises: labels and the float model's scores, and what exceeds an accumulator."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from .settings import TrainSettings

__all__ = ["inner_distance", "task_loss"]


def task_loss(scores: Tensor, wanted: Tensor, labels: Tensor | None, settings: TrainSettings) -> Tensor:
    """Loss of scores (N, K), given the float model's scores ``wanted`` and perhaps labels (N,).

    With labels, the sum of cross entropy and distillation (arXiv 1503.02531: the divergence between both models'
    softened classes, times the temperature squared), weighed by ``settings.distillation``. Without, the mean square
    distance from ``wanted``, in its own variance.
    """
    if labels is None:
        return functional.mse_loss(scores, wanted) / wanted.var().clamp(min=1e-12)
    heat = settings.temperature
    hard = functional.cross_entropy(scores, labels)
    if not settings.distillation:
        return hard
    soft = functional.kl_div(
        torch.log_softmax(scores / heat, 1), torch.log_softmax(wanted / heat, 1), reduction="batchmean", log_target=True
    )
    return torch.lerp(hard, soft * heat**2, settings.distillation)


def inner_distance(made: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """Mean over tensors (N, C, H, W) of their mean square distance from those of the same name, each in its variance.

    The variance is that of a batch around the mean of each channel.
    """
    parts = []
    for name, values in made.items():
        goal = wanted[name].float()
        spread = (goal - goal.mean((0, 2, 3), keepdim=True)).square().mean()
        parts.append(functional.mse_loss(values, goal) / spread.clamp(min=1e-12))
    return torch.stack(parts).mean()
