"""The Fourier transform in integers, beside the real one."""

from __future__ import annotations

import numpy as np
from narrows.sw.audio.spectrum import spectrum

SEED = 3


def test_it_is_the_transform_but_for_rounding() -> None:
    samples = np.random.default_rng(SEED).integers(-16_000, 16_000, (20, 512)).astype(np.int16)
    real, imaginary = spectrum(samples)
    right = np.fft.rfft(samples.astype(np.float64)) / 512
    assert real.shape == imaginary.shape == (20, 257)
    assert np.abs(real - right.real).max() < 5 and np.abs(imaginary - right.imag).max() < 5


def test_a_tone_is_one_bin() -> None:
    tone = np.rint(16_000 * np.cos(2 * np.pi * 32 * np.arange(512) / 512)).astype(np.int16)[np.newaxis]
    real, imaginary = spectrum(tone)
    assert abs(real[0, 32] - 8000) < 8
    real[0, 32] = 0
    assert np.abs(real).max() < 5 and np.abs(imaginary).max() < 5
