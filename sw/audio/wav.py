"""read_wav: the samples of a WAV file, as keyword models hear them."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .tables import SAMPLE_RATE

__all__ = ["is_wav", "read_wav"]


def is_wav(path: Path) -> bool:
    """Whether a file is sound, by its name."""
    return path.suffix.lower() == ".wav"


def read_wav(path: Path) -> NDArray[np.int16]:
    """Samples of one channel, 16 kHz, 16 bits, shape (n,).

    Raises
    ------
    InputError
        If the file is no such WAV file.
    OSError
        If it cannot be read.
    """
    try:
        # from memory: of a file, as many bytes as a chunk claims to hold would be made room for
        with wave.open(io.BytesIO(path.read_bytes()), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError, RuntimeError) as error:  # the last one of chunks that say they are shorter than read
        why = str(error) or "it ends too early"
        raise InputError(f"{path} is no WAV file of plain samples (PCM): {why}") from error
    if (channels, width, rate) != (1, 2, SAMPLE_RATE):
        raise InputError(
            f"{path} has {channels} channel{'s' * (channels != 1)} of {8 * width} bits at {rate} Hz, one of 16 bits at "
            f"{SAMPLE_RATE} Hz is needed: sox {path.name} -r {SAMPLE_RATE} -c 1 -b 16 OUT.wav makes it"
        )
    return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16)
