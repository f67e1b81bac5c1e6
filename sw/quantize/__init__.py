"""Quantisation after training: formats, scales, weight levels and rescalers from some calibration samples."""

from __future__ import annotations

from .quantise import quantise
from .settings import LayerFormats, QuantSettings

__all__ = ["LayerFormats", "QuantSettings", "quantise"]
