"""WAV files: what is read, and what is said of others."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.audio.wav import is_wav, read_wav
from narrows.sw.errors import InputError
from sounds import write_wav

SAMPLES = np.array([0, 1, -32_768, 32_767], dtype=np.int16)


def test_samples_come_back(tmp_path: Path) -> None:
    read = read_wav(write_wav(tmp_path / "x.wav", SAMPLES))
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read, SAMPLES)
    assert is_wav(Path("A.WAV")) and not is_wav(Path("wav.npz"))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"rate": 44_100}, "1 channel of 16 bits at 44100 Hz"),
        ({"channels": 2}, "2 channels of 16 bits at 16000 Hz"),
        ({"width": 1}, "1 channel of 8 bits at 16000 Hz"),
    ],
)
def test_another_form_is_said(form: dict[str, int], said: str, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", SAMPLES, **form)
    with pytest.raises(InputError, match=f"has {said}, one of 16 bits at 16000 Hz is needed: sox x.wav -r 16000"):
        read_wav(path)


PLAIN = b"fmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
ENDS_EARLY = b"RIFF\x40\0\0\0WAVE" + PLAIN + b"LIST\xff\xff\0\0" + bytes(28)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"no sound at all, but long enough", b"RIFF\x24\0\0\0WAVEfmt ", ENDS_EARLY]
)
def test_no_wav_file_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(InputError, match="is no WAV file of plain samples"):
        read_wav(tmp_path / "x.wav")


def test_a_chunk_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVE" + PLAIN + b"data\xf0\xff\xff\xff" + SAMPLES.tobytes())
    tracemalloc.start()
    np.testing.assert_array_equal(read_wav(tmp_path / "x.wav"), SAMPLES)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
