"""Samples as users have them: a file, arrays, a loader of batches."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..archives import read_archive
from ..audio.features import features_of
from ..audio.wav import is_wav, read_wav
from ..errors import InputError

__all__ = ["MOST", "SampleSource", "frames_of", "load_samples", "samples_of", "several_of"]

SampleSource = Any
"""A path (numpy archive, WAV file), an array (N, ...), a pair of arrays (x, y), or what gives batches or samples."""

MOST = 512
"""Samples taken of what gives them one by one, if nothing else is said."""


def several_of(source: SampleSource, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """What :func:`samples_of` gives, also of an array that is one sample."""
    return samples_of(source[None] if getattr(source, "shape", None) == shape else source, shape)


def samples_of(
    source: SampleSource, shape: tuple[int, ...], *, most: int | None = None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples of shape (N, *shape) and labels of shape (N,), or None where there are none.

    Parameters
    ----------
    source : path, array, pair or iterable
        A numpy archive with ``x`` and perhaps ``y``; a WAV file, for models of lines of 40 features; an array of
        samples; a pair ``(x, y)``; or an iterable, such as a loader of torch's, of samples, of batches, or of pairs of
        these with labels.
    shape : tuple of int
        Of one sample, as the model takes it.
    most : int, optional
        Take so many samples; of an iterable `MOST` unless it says otherwise.

    Raises
    ------
    InputError
        If there are none.
    """
    if isinstance(source, (str, os.PathLike)):
        return load_samples(Path(source), most, shape)
    if isinstance(source, tuple) and len(source) == 2:
        labels = source[1]
        return _checked("samples", _array(source[0])[:most], None if labels is None else _array(labels)[:most])
    if isinstance(source, Mapping):
        labels = source.get("y")
        return _checked(
            "samples", _array(source.get("x", ()))[:most], None if labels is None else _array(labels)[:most]
        )
    if isinstance(source, (np.ndarray, list)) or hasattr(source, "__array__") or not isinstance(source, Iterable):
        return _checked("samples", _array(source)[:most], None)
    return _gathered(source, shape, MOST if most is None else most)


def load_samples(
    path: Path, limit: int | None = None, shape: tuple[int, ...] | None = None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples ``x`` and labels ``y`` (or None) of a numpy archive, or the features of sound in a WAV file.

    Sound gives frames of ``shape``, as `frames_of` cuts them; without a shape lines of 40 features.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no samples, or not as many labels; if it is sound of another kind than
        `read_wav` takes, or its lines make no frames of that shape.
    """
    if is_wav(path):
        lines = features_of(read_wav(path))
        return _checked(str(path), lines if shape is None else frames_of(lines, shape), None)[0][:limit], None
    arrays = read_archive(path)
    if "x" not in arrays:
        raise InputError(f"{path} holds {', '.join(arrays) or 'nothing'}: the samples must be named x")
    x, y = _checked(str(path), arrays["x"], arrays.get("y"))
    return x[:limit], None if y is None else y[:limit]


def frames_of(recording: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A recording as frames (N, *shape): it is either, or its first axis runs on from frame to frame, as in (T, 40) for
    frames of (3, 40). What does not fill a frame at the end is left out.

    Raises
    ------
    InputError
        If it is neither.
    """
    if recording.shape[1:] == shape:
        return recording
    if not shape or recording.shape[1:] != shape[1:] or len(recording) < shape[0]:
        wanted = " x ".join(map(str, shape))
        given = " x ".join(map(str, recording.shape))
        raise InputError(f"a recording of {given} values has no frames of {wanted}: give frames, or lines in a row")
    count = len(recording) // shape[0]
    return recording[: count * shape[0]].reshape(count, *shape)


def _checked(name: str, x: NDArray, y: NDArray | None) -> tuple[NDArray[Any], NDArray[Any] | None]:
    if x.ndim == 0 or len(x) == 0:
        raise InputError(f"{name} holds no samples: x must have the shape (N, ...)")
    if y is not None and y.shape != x.shape[:1]:
        raise InputError(
            f"{name} holds labels y of shape {y.shape} for {len(x)} samples: they must have the shape ({len(x)},)"
        )
    return x, y


def _gathered(source: Iterable[Any], shape: tuple[int, ...], most: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    xs, ys, count = [], [], 0
    for item in source:
        x, y = item if isinstance(item, (tuple, list)) and len(item) == 2 else (item, None)
        x = _array(x)
        if x.ndim <= len(shape):  # one sample
            x, y = x[np.newaxis], None if y is None else _array(y).reshape(1)
        xs.append(x)
        ys.append(None if y is None else _array(y))
        count += len(x)
        if count >= most:
            break
    if not xs:
        raise InputError("there are no samples: the iterator gives nothing, or was used up before")
    if len({part.shape[1:] for part in xs}) > 1:
        odd = next(b.shape[1:] for a, b in itertools.pairwise(xs) if a.shape[1:] != b.shape[1:])
        raise InputError(f"samples must be of one shape: there are some of {xs[0].shape[1:]} and of {odd}")
    labels = None if any(part is None for part in ys) else np.concatenate(ys)[:most]
    return _checked("samples", np.concatenate(xs)[:most], labels)


def _array(values: Any) -> NDArray[Any]:
    """An array of anything like one, torch's tensors that learn or lie on another device included."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
