"""spectrum: a Fourier transform of 512 real samples in integers of 16 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .tables import FFT_SIZE, QUARTER_SINE

__all__ = ["spectrum"]

_POINTS = FFT_SIZE // 2  # of the complex transform: even samples are its real parts, odd ones its imaginary parts
_BITS = 15
_Complex = tuple[NDArray[np.int32], NDArray[np.int32]]


def spectrum(samples: NDArray[np.int16]) -> _Complex:
    """Real and imaginary parts of bins 0 to 256, divided by 512, from samples of shape (N, 512); shapes (N, 257).

    What KISS FFT's ``kiss_fftr`` computes with ``FIXED_POINT=16``: four stages of radix 4, decimated in time, and one
    that parts the even samples' spectrum from the odd ones'. Each stage divides before it adds, products are rounded to
    15 bits behind the point, ties up, and sums that do not fit 16 bits wrap.
    """
    pairs = samples.astype(np.int32).reshape(len(samples), _POINTS, 2)
    order = _reversed_digits()
    real, imaginary = pairs[:, order, 0], pairs[:, order, 1]
    size = 1
    while size < _POINTS:
        real, imaginary = _combined(real, imaginary, size)
        size *= 4
    return _parted(real, imaginary)


def _reversed_digits() -> NDArray[np.int64]:
    """Numbers 0 to 255 whose four digits of base 4 are turned around."""
    return np.arange(_POINTS).reshape(4, 4, 4, 4).transpose().ravel()


def _combined(real: NDArray[np.int32], imaginary: NDArray[np.int32], size: int) -> _Complex:
    """Spectra of ``size`` points, four by four into one of four times as many."""
    shape = (len(real), -1, 4, size)
    a, b, c, d = (
        (_divided(real.reshape(shape)[:, :, part], 4), _divided(imaginary.reshape(shape)[:, :, part], 4))
        for part in range(4)
    )
    steps = np.arange(size) * (_POINTS // (4 * size))
    b, c, d = (_product(*term, *_turned(2 * factor * steps)) for factor, term in enumerate((b, c, d), 1))
    even, odd = (a[0] + c[0], a[1] + c[1]), (a[0] - c[0], a[1] - c[1])
    both, apart = (b[0] + d[0], b[1] + d[1]), (b[0] - d[0], b[1] - d[1])
    out = (
        (even[0] + both[0], even[1] + both[1]),
        (odd[0] + apart[1], odd[1] - apart[0]),
        (even[0] - both[0], even[1] - both[1]),
        (odd[0] - apart[1], odd[1] + apart[0]),
    )
    whole = (len(real), _POINTS)
    return (
        _wrapped(np.stack([part[0] for part in out], axis=2)).reshape(whole),
        _wrapped(np.stack([part[1] for part in out], axis=2)).reshape(whole),
    )


def _parted(real: NDArray[np.int32], imaginary: NDArray[np.int32]) -> _Complex:
    """The spectrum of the samples in a row, from that of pairs."""
    k = np.arange(1, _POINTS // 2 + 1)
    halves = _divided(real, 2), _divided(imaginary, 2)
    near = halves[0][:, k], halves[1][:, k]
    far = halves[0][:, _POINTS - k], _divided(_wrapped(-imaginary[:, _POINTS - k]), 2)
    even = _wrapped(near[0] + far[0]), _wrapped(near[1] + far[1])
    odd = _wrapped(near[0] - far[0]), _wrapped(near[1] - far[1])
    odd = _product(*odd, *_turned(k + FFT_SIZE // 4))
    bins = np.zeros((2, len(real), _POINTS + 1), dtype=np.int32)
    bins[0, :, 0] = halves[0][:, 0] + halves[1][:, 0]
    bins[0, :, _POINTS] = halves[0][:, 0] - halves[1][:, 0]
    bins[:, :, k] = (even[0] + odd[0]) >> 1, (even[1] + odd[1]) >> 1
    bins[:, :, _POINTS - k] = (even[0] - odd[0]) >> 1, (odd[1] - even[1]) >> 1  # also the one in the middle
    return _wrapped(bins[0]), _wrapped(bins[1])


def _turned(steps: NDArray[np.int64]) -> _Complex:
    """32767 exp(-2 pi i steps / 512), rounded."""
    return _sine(steps + FFT_SIZE // 4), -_sine(steps)


def _sine(steps: NDArray[np.int64]) -> NDArray[np.int32]:
    half = FFT_SIZE // 2
    place = steps % half
    values = QUARTER_SINE[np.minimum(place, half - place)]
    return np.where(steps % FFT_SIZE >= half, -values, values).astype(np.int32)


def _product(
    real: NDArray[np.int32], imaginary: NDArray[np.int32], cosine: NDArray[np.int32], sine: NDArray[np.int32]
) -> _Complex:
    return (
        _wrapped(_fraction(real * cosine - imaginary * sine)),
        _wrapped(_fraction(real * sine + imaginary * cosine)),
    )


def _divided(values: NDArray[np.int32], divisor: int) -> NDArray[np.int32]:
    return _fraction(values * (32_767 // divisor))


def _fraction(products: NDArray[np.int32]) -> NDArray[np.int32]:
    return (products + (1 << (_BITS - 1))) >> _BITS


def _wrapped(values: NDArray[np.int32]) -> NDArray[np.int32]:
    return values.astype(np.int16).astype(np.int32)
