"""Sound into what keyword models take: features, the models' detections, WAV files (docs/audio.md)."""

from __future__ import annotations

from .features import FEATURE_SCALE, MicroFeatures, features_of, frame_times

__all__ = ["FEATURE_SCALE", "MicroFeatures", "features_of", "frame_times"]
