"""MicroFeatures: lines of 40 features from 16 kHz samples, as streaming keyword models take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .spectrum import spectrum
from .tables import (
    BAND_BITS,
    BAND_ENDS,
    BAND_WEIGHTS,
    BANDS,
    ESTIMATE_BITS,
    FFT_SIZE,
    FIRST_BIN,
    GAINS,
    LOGS,
    SAMPLE_RATE,
    STEP,
    WINDOW,
    WINDOW_BITS,
    WINDOW_SIZE,
)

__all__ = ["FEATURE_SCALE", "MicroFeatures", "features_of", "frame_times"]

FEATURE_SCALE = 10 / 256
"""What a step of a feature stands for: models take values from 0 to about 26."""

_SMOOTHING = np.where(np.arange(BANDS) % 2 == 0, 409, 983).astype(np.uint64)  # 0.025 and 0.06 of 16,384
_REMAINING = 819  # 0.05 of 16,384
_SMOOTHING_BITS = 14
_KEPT = np.uint64(1 << _SMOOTHING_BITS) - _SMOOTHING
_SNR_BITS, _GAINED_BITS, _GAIN_SHIFT = 12, 6, 6
_INPUT_BITS = 3  # a band's amplitude has so many fewer bits behind the point than the spectrum lost to its stages
_LOG_BITS, _PIECE_BITS, _OUT_BITS = 16, 9, 6
_LN_2 = 45_426  # of 65,536
_MASK = np.uint64(0xFFFFFFFF)


class MicroFeatures:
    """The micro front end of TensorFlow Lite for Microcontrollers, with the settings that its keyword models were
    trained with, bit for bit that of the package ``pymicro-features``.

    A line of 40 features stands for a window of 30 ms; the next window begins 10 ms later. Window, spectrum
    (`spectrum`), amplitudes of 40 bands, less the noise that is estimated in each, their gain normalised (PCAN: Wang et
    al., "Trainable frontend for robust and far-field keyword spotting", 2017), logarithm. Noise is estimated from the
    begin of the stream on, so every line depends on all lines before.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self._samples = np.zeros(0, dtype=np.int16)
        self._noise = np.zeros(BANDS, dtype=np.uint64)

    def __call__(self, samples: ArrayLike) -> NDArray[np.uint16]:
        """Lines that these samples complete, in steps of `FEATURE_SCALE`.

        Parameters
        ----------
        samples : array of int16, shape (n,)
            The stream's next samples, as many as there are.

        Returns
        -------
        array of uint16, shape (lines, 40)

        Raises
        ------
        InputError
            If the samples are not int16 in one row.
        """
        given = np.asarray(samples)
        if given.ndim != 1 or given.dtype != np.int16:
            raise InputError(f"samples must be int16 of one channel, not {given.dtype} of shape {given.shape}")
        row = np.concatenate([self._samples, given])
        count = max(0, (len(row) - WINDOW_SIZE) // STEP + 1)
        self._samples = row[count * STEP :]
        if not count:
            return np.zeros((0, BANDS), dtype=np.uint16)
        windows = np.lib.stride_tricks.sliding_window_view(row, WINDOW_SIZE)[: count * STEP : STEP]
        lines = _amplitudes(windows)
        return _logarithms(_normalised(lines, self._estimated(lines))).astype(np.uint16)

    def _estimated(self, lines: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Noise in each band at each line: amplitudes smoothed over time, with `ESTIMATE_BITS` behind the point."""
        added = ((lines << np.uint64(ESTIMATE_BITS)) & _MASK) * _SMOOTHING
        noise = np.empty_like(lines)
        for number, new in enumerate(added):
            self._noise = ((new + self._noise * _KEPT) >> np.uint64(_SMOOTHING_BITS)) & _MASK
            noise[number] = self._noise
        return noise


def features_of(samples: ArrayLike) -> NDArray[np.float32]:
    """Features of a whole recording, as models take them: shape (lines, 40), from 0 to about 26.

    Raises
    ------
    InputError
        If the samples are not int16 in one row.
    """
    return MicroFeatures()(samples).astype(np.float32) * np.float32(FEATURE_SCALE)


def frame_times(frames: int, lines: int) -> NDArray[np.float64]:
    """Seconds from the begin of a stream to the last sample that each frame of so many lines needs, shape (frames,)."""
    last = np.arange(1, frames + 1) * lines - 1
    return (WINDOW_SIZE + STEP * last) / SAMPLE_RATE


def _amplitudes(windows: NDArray[np.int16]) -> NDArray[np.uint64]:
    """Amplitudes of 40 bands of windows (N, 480)."""
    faded = ((windows.astype(np.int32) * WINDOW.astype(np.int32)) >> WINDOW_BITS).astype(np.int16)
    largest = np.where(faded == -32_768, 0, np.abs(faded)).max(axis=1)  # -32768 has no counterpart and is passed over
    shifts = 15 - _bit_lengths(largest)[:, np.newaxis]
    padded = np.zeros((len(windows), FFT_SIZE), dtype=np.int16)
    padded[:, :WINDOW_SIZE] = (faded.astype(np.int64) << shifts).astype(np.int16)
    real, imaginary = (part[:, FIRST_BIN : FIRST_BIN + len(BAND_WEIGHTS)] for part in spectrum(padded))
    energies = real.astype(np.int64) ** 2 + imaginary.astype(np.int64) ** 2
    starts = np.concatenate([[0], BAND_ENDS[:-1]])
    left = np.add.reduceat(energies * BAND_WEIGHTS, starts, axis=1)
    right = np.add.reduceat(energies * ((1 << BAND_BITS) - BAND_WEIGHTS), starts, axis=1)
    return _roots(left[:, 1:] + right[:, :-1]).astype(np.uint64) >> shifts.astype(np.uint64)


def _normalised(lines: NDArray[np.uint64], noise: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Lines less their noise, at a gain that falls with it; both of shape (N, 40)."""
    scaled = (lines << np.uint64(ESTIMATE_BITS)) & _MASK
    clean = (scaled - np.minimum(noise, scaled)) >> np.uint64(ESTIMATE_BITS)
    signal = np.maximum(clean, (lines * np.uint64(_REMAINING)) >> np.uint64(_SMOOTHING_BITS))
    ratio = ((signal * _gains(noise)) >> np.uint64(_GAIN_SHIFT)) & _MASK
    small = (ratio * ratio) >> np.uint64(2 + 2 * _SNR_BITS - _GAINED_BITS)
    large = (ratio >> np.uint64(_SNR_BITS - _GAINED_BITS)) - np.uint64(1 << _GAINED_BITS)
    return np.where(ratio < (2 << _SNR_BITS), small, large)


def _roots(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Square roots of integers below 2^52, to the nearest; of those below 2^32 none is above 65,535."""
    roots = np.sqrt(values.astype(np.float64)).astype(np.int64)
    up = values - roots * roots > roots
    return roots + (up & ((roots != 0xFFFF) | (values >> 32 > 0)))


def _gains(noise: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A table's parabolas at estimates of noise, any shape."""
    bits = _bit_lengths(noise)
    start, bend, rest = np.moveaxis(GAINS[np.maximum(bits - 1, 0)], -1, 0)
    x = noise.astype(np.int64)
    place = np.where(bits < 11, x << np.maximum(11 - bits, 0), x >> np.maximum(bits - 11, 0)) & 0x3FF
    risen = (((((rest * place) >> 5) + (bend << 5)) * place + (1 << 14)) >> 15) + start
    exact = np.where(noise == 0, GAINS[0, 0], GAINS[0, 1])
    return np.where(noise < 2, exact, risen).astype(np.uint64)


def _logarithms(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """64 ln(8 x) of integers x, any shape, by pieces; the lines between them are all but level, as the original's."""
    x = np.maximum((values << np.uint64(_INPUT_BITS)) & _MASK, np.uint64(1)).astype(np.int64)
    whole = _bit_lengths(x) - 1
    rest = ((x - (1 << whole)) << _LOG_BITS) >> whole
    piece, within = rest >> _PIECE_BITS, rest & ((1 << _PIECE_BITS) - 1)
    log2 = (whole << _LOG_BITS) + rest + LOGS[piece] + (((LOGS[piece + 1] - LOGS[piece]) * within) >> _LOG_BITS)
    half = 1 << (_LOG_BITS - 1)
    natural = (_LN_2 * log2 + half) >> _LOG_BITS
    return np.minimum(((natural << _OUT_BITS) + half) >> _LOG_BITS, 0xFFFF)


def _bit_lengths(values: NDArray[Any]) -> NDArray[np.int64]:
    """Bits of integers from 0 to 2^52; 0 has none."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)
