"""Quantisation-aware training in torch (extra ``train``): docs/training.md."""

from __future__ import annotations

from .export import to_quantised
from .samples import Samples
from .settings import TrainSettings
from .start import network_of
from .trainer import Trainer, score

__all__ = ["Samples", "TrainSettings", "Trainer", "network_of", "score", "to_quantised"]
