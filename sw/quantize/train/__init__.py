"""Quantisation-aware training in torch (extra ``train``): docs/training.md."""

from __future__ import annotations

from .export import to_quantised
from .refloat import refloated
from .samples import Samples
from .settings import TrainSettings, suited
from .start import network_of
from .trainer import Trainer, float_score, score

__all__ = [
    "Samples",
    "TrainSettings",
    "Trainer",
    "float_score",
    "network_of",
    "refloated",
    "score",
    "suited",
    "to_quantised",
]
