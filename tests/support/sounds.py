"""Sounds that tests and benches listen to: samples of one channel, int16, 16 kHz."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["chunks", "sounds", "write_wav"]

_RATE = 16_000


def sounds(seconds: float, rng: np.random.Generator) -> dict[str, NDArray[np.int16]]:
    """One of each kind, by name: quiet and loud, smooth and torn, and what overflows somewhere."""
    count = int(seconds * _RATE)
    number = np.arange(count)
    time = number / _RATE
    made = {
        "silence": np.zeros(count),
        "hiss of one bit": rng.integers(-1, 2, count),
        "full sine": 32_767 * np.sin(2 * np.pi * 1000 * time),
        "clipped sine": 1e5 * np.sin(2 * np.pi * 437 * time),
        "white noise": rng.normal(0, 3000, count),
        "random": rng.integers(-32_768, 32_768, count),
        "chirps": _chirps(time),
        "speech-like": _voice(time, rng),
        "lowest": np.full(count, -32_768),
        "ends in turn": np.where(number % 2, 32_767, -32_768),
        "ends by twos": np.where(number // 2 % 2, 32_767, -32_768),
        "ends at random": np.where(rng.integers(0, 2, count), 32_767, -32_768),
        "clicks": np.where(number % 997 == 0, -32_768, 0),
        "bursts": rng.normal(0, 9000, count) * (np.sin(2 * np.pi * time / 1.3) > 0.6),
    }
    return {name: np.clip(np.rint(values), -32_768, 32_767).astype(np.int16) for name, values in made.items()}


def _chirps(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 100 Hz up to 7.6 kHz within a second, again and again."""
    within = time % 1.0
    return 24_000 * np.sin(2 * np.pi * (100 * within + 3750 * within**2)) * (within > 0.2)


def _voice(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Harmonics of a voice that rises and falls, below two formants that move, in syllables, over hiss."""
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / _RATE
    low, high = (
        centre + reach * np.sin(2 * np.pi * rate * time) for centre, reach, rate in ((500, 300, 1.3), (1500, 600, 0.9))
    )
    voice = sum(
        np.cos(k * phase)
        * (np.exp(-(((k * pitch - low) / 200) ** 2)) + 0.6 * np.exp(-(((k * pitch - high) / 300) ** 2)))
        for k in range(1, 30)
    )
    return 1500 * voice * np.clip(np.sin(2 * np.pi * 2.3 * time) + 0.3, 0, 1) + rng.normal(0, 60, len(time))


def chunks(samples: NDArray[np.int16], rng: np.random.Generator, most: int = 1500) -> list[NDArray[np.int16]]:
    """The samples in pieces of odd sizes, up to ``most``."""
    ends = np.cumsum(rng.integers(0, most, 2 * len(samples) // max(1, most // 2) + 2))
    return np.split(samples, ends[ends < len(samples)])


def write_wav(path: Path, samples: NDArray[np.int16], *, rate: int = _RATE, channels: int = 1, width: int = 2) -> Path:
    """A WAV file of these samples, said to have this form."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path
