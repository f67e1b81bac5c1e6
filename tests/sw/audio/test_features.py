"""MicroFeatures, bit for bit those of pymicro-features."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.audio import FEATURE_SCALE, MicroFeatures, features_of, frame_times
from narrows.sw.errors import InputError
from numpy.typing import NDArray
from pymicro_features import MicroFrontend
from sounds import chunks, sounds

SEED = 11
SOUNDS = sounds(1.2, np.random.default_rng(SEED))


def reference(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Features of the package, shape (lines, 40); it takes 160 samples at a time."""
    front_end, lines = MicroFrontend(), []
    for start in range(0, len(samples) // 160 * 160, 160):
        lines.append(front_end.process_samples(samples[start : start + 160].tobytes()).features)
    return np.array([line for line in lines if line])


@pytest.mark.parametrize("name", SOUNDS)
def test_features_are_the_packages(name: str) -> None:
    found, wanted = features_of(SOUNDS[name]), reference(SOUNDS[name])
    assert found.dtype == np.float32 and found.shape == (118, 40)
    np.testing.assert_array_equal(found, wanted)


def test_chunks_of_any_size_give_the_same_lines() -> None:
    rng = np.random.default_rng(SEED)
    stream, samples = MicroFeatures(), SOUNDS["speech-like"]
    parts = [stream(chunk) for chunk in chunks(samples, rng)]
    assert len({len(part) for part in parts}) > 3
    lines = np.concatenate(parts)
    assert lines.dtype == np.uint16
    np.testing.assert_array_equal(lines * FEATURE_SCALE, reference(samples))


def test_a_reset_begins_a_stream_anew() -> None:
    stream, samples = MicroFeatures(), SOUNDS["white noise"]
    first, second = stream(samples), stream(samples)
    assert (first != second[-len(first) :]).any()
    stream.reset()
    np.testing.assert_array_equal(stream(samples), first)


def test_a_line_needs_a_window() -> None:
    stream = MicroFeatures()
    assert stream(np.zeros(479, dtype=np.int16)).shape == (0, 40)
    assert stream(np.zeros(1, dtype=np.int16)).shape == (1, 40)
    assert stream(np.zeros(160, dtype=np.int16)).shape == (1, 40)


def test_when_frames_are_complete() -> None:
    np.testing.assert_allclose(frame_times(3, 3), [0.05, 0.08, 0.11])
    np.testing.assert_allclose(frame_times(2, 1), [0.03, 0.04])


@pytest.mark.parametrize("samples", [np.zeros(500), np.zeros((500, 2), dtype=np.int16), np.zeros(500, dtype=np.uint8)])
def test_other_samples_are_refused(samples: NDArray) -> None:
    with pytest.raises(InputError, match="samples must be int16 of one channel, not"):
        MicroFeatures()(samples)
