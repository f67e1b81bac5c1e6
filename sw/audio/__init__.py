"""Sound into what keyword models take: features, the models' detections, WAV files (docs/audio.md)."""

from __future__ import annotations

from .features import FEATURE_SCALE, LINE_SECONDS, MicroFeatures, features_of

__all__ = ["FEATURE_SCALE", "LINE_SECONDS", "MicroFeatures", "features_of"]
