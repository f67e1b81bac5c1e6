"""Made-up samples: images, features over time, symbols."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["features", "images", "mel_bands", "symbols"]


def images(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Patches of 8 x 8 pixels of one colour each, and some noise, between -1 and 1."""
    coarse = rng.normal(size=(count, shape[0], shape[1] // 8 + 1, shape[2] // 8 + 1))
    patches = np.kron(coarse, np.ones((8, 8)))[:, :, : shape[1], : shape[2]]
    return np.clip(0.6 * patches + 0.1 * rng.normal(size=(count, *shape)), -1, 1).astype(np.float32)


def features(
    rng: np.random.Generator, count: int, shape: tuple[int, ...], low: float, high: float
) -> NDArray[np.float32]:
    """Waves over time and bands with noise, of changing loudness, between two values."""
    lines, bands = shape[0], int(np.prod(shape[1:]))
    time, band = np.arange(count * lines)[:, np.newaxis], np.arange(bands)
    waves = 0.3 + 0.25 * np.sin(time / 7 + band / 3) + 0.2 * np.sin(time / 3.1 - band / 5)
    noisy = waves + 0.12 * rng.normal(size=waves.shape)
    loud = rng.uniform(0.3, 1, (count, 1)).repeat(lines, axis=0)
    return (low + (high - low) * np.clip(noisy * loud, 0, 1)).reshape(count, *shape).astype(np.float32)


def mel_bands(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Frames of the loudness of bands, between 0 and 1."""
    return features(rng, count, (1, int(np.prod(shape))), 0.0, 1.0).reshape(count, *shape)


def symbols(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One-hot symbols of a sequence, each likely to be near the one before."""
    walk = np.cumsum(rng.integers(-3, 4, count)) % shape[-1]
    return np.eye(shape[-1], dtype=np.float32)[walk].reshape(count, *shape)
