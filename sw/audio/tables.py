"""Constants of the micro front end: window, sines, mel bands, gains, logarithms, all of them integers.

The front end is that of TensorFlow Lite for Microcontrollers (``tensorflow/lite/experimental/microfrontend``), with the
settings that its keyword models are trained with: 16 kHz, windows of 30 ms every 10 ms, 40 bands from 125 to 7,500 Hz.
It computes them in single precision; here they are rounded from double precision, and the three integers that single
precision brings across a tie are named (``_ACROSS_TIES``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BANDS",
    "BAND_BITS",
    "BAND_WEIGHTS",
    "BAND_ENDS",
    "ESTIMATE_BITS",
    "FFT_SIZE",
    "FIRST_BIN",
    "GAINS",
    "LOGS",
    "QUARTER_SINE",
    "SAMPLE_RATE",
    "STEP",
    "WINDOW",
    "WINDOW_BITS",
    "WINDOW_SIZE",
]

SAMPLE_RATE = 16_000
"""Samples a second."""

WINDOW_SIZE = 480
"""Samples of a window: 30 ms."""

STEP = 160
"""Samples from window to window: 10 ms."""

FFT_SIZE = 512
"""Points of the spectrum: a window and zeros behind it."""

BANDS = 40
"""Features of a line."""

WINDOW_BITS = 12
"""A window's coefficients are integers of so many bits behind the point."""

BAND_BITS = 12
"""So are the weights of bands."""

ESTIMATE_BITS = 10
"""And the noise that is estimated in a band."""

_LOW_HZ, _HIGH_HZ = 125.0, 7_500.0
_GAIN_BITS, _GAIN_STRENGTH, _GAIN_OFFSET = 21, 0.95, 80.0
_GAIN_INPUT_BITS = 7  # bits behind the point of an estimate, in the units of the offset
_LOG_SEGMENTS, _LOG_SCALE = 128, 1 << 16
_ACROSS_TIES = {"window": {17: 54}, "weights": {149: 2471, 221: 1401}}
"""Integers by coefficient and by bin, 0.00005 and 0.012 beside a tie. The weights are those of a ``log1pf`` that
may be off by a unit in its last place, as glibc's before 2.41; one that rounds every value right gives one less."""


def _rounded(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Nearest integers, ties up."""
    return np.floor(values + 0.5).astype(np.int64)


def _window() -> NDArray[np.int64]:
    """A Hann window of 480 coefficients, each between two samples; the largest are 4,096."""
    turns = (np.arange(WINDOW_SIZE) + 0.5) / WINDOW_SIZE
    window = _rounded((0.5 - 0.5 * np.cos(2 * np.pi * turns)) * (1 << WINDOW_BITS))
    for place, value in _ACROSS_TIES["window"].items():
        window[place] = value
    return window


def _quarter_sine() -> NDArray[np.int64]:
    """32767 sin(2 pi j / 512), j = 0 to 128: a quarter of a turn in steps of the FFT."""
    return _rounded(32_767 * np.sin(2 * np.pi * np.arange(FFT_SIZE // 4 + 1) / FFT_SIZE))


def _mel(hertz: ArrayLike) -> NDArray[np.float64]:
    return 1127 * np.log1p(np.asarray(hertz) / 700)


def _bands() -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """The first bin of the spectrum that counts, each bin's weight, and where each of 41 slopes ends, in bins from the
    first one on.

    The tops of 40 triangles lie evenly on the mel scale, and so do both ends. A bin on the slope from one to the next
    counts ``weight`` for the left one and 4096 - ``weight`` for the right one.
    """
    hertz = SAMPLE_RATE / FFT_SIZE
    first = int(1.5 + _LOW_HZ / hertz)
    tops = np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), BANDS + 2)
    mels = _mel(hertz * np.arange(first, FFT_SIZE // 2 + 1))
    mels = mels[mels <= tops[-1]]
    ends = np.searchsorted(mels, tops[1:], side="right")
    slope = np.searchsorted(ends, np.arange(len(mels)), side="right")
    weights = _rounded((tops[slope + 1] - mels) / (tops[slope + 1] - tops[slope]) * (1 << BAND_BITS))
    for place, value in _ACROSS_TIES["weights"].items():
        weights[place - first] = value
    return first, weights, ends


def _gains() -> NDArray[np.int64]:
    """2^21 (x + 80)^-0.95 of an estimate x of noise: for 0 and 1, and parabolas over each power of two behind.

    Row b - 2 holds, of estimates with b bits, the value at the least and two differences of the parabola through that,
    the middle and the end.
    """

    def gain(estimate: int) -> int:
        value = 2**_GAIN_BITS * (estimate / 2**_GAIN_INPUT_BITS + _GAIN_OFFSET) ** -_GAIN_STRENGTH
        return int(min(value, 32_767.0) + 0.5)

    rows = []
    for bits in range(2, 33):
        least = 1 << (bits - 1)
        start, middle, end = (gain(x) for x in (least, least + least // 2, 2 * least - (bits == 32)))
        bend = 4 * (middle - start) - (end - start)
        rows.append((start, bend, end - start - bend))
    return np.array([(gain(0), gain(1), 0), *rows], dtype=np.int64)


def _logs() -> NDArray[np.int64]:
    """What log2(1 + f) has more than f, times 65536, at f = 0, 1/128, ..., 1."""
    f = np.arange(_LOG_SEGMENTS + 1) / _LOG_SEGMENTS
    return _rounded((np.log2(1 + f) - f) * _LOG_SCALE)


WINDOW = _window()
QUARTER_SINE = _quarter_sine()
FIRST_BIN, BAND_WEIGHTS, BAND_ENDS = _bands()
GAINS = _gains()
LOGS = _logs()
