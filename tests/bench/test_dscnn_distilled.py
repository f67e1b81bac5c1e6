"""`bench/quantisation/dscnn_distilled.py`: inputs made of samples."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import dscnn_distilled

SAMPLES = np.random.default_rng(3).normal(size=(8, 1, 49, 10)).astype(np.float32)


def test_inputs_are_samples_changed_a_little() -> None:
    made = dscnn_distilled.augmented(SAMPLES, 50, 1)
    assert made.shape == (50, 1, 49, 10) and made.dtype == np.float32
    assert SAMPLES.min() <= made.min() and made.max() <= SAMPLES.max()
    np.testing.assert_array_equal(made, dscnn_distilled.augmented(SAMPLES, 50, 1))
    assert (made != dscnn_distilled.augmented(SAMPLES, 50, 2)).any()


def test_a_sample_moves_in_time() -> None:
    sample = np.arange(49)[:, np.newaxis].repeat(10, 1)
    assert dscnn_distilled._moved(sample, 2)[:4, 0].tolist() == [0, 0, 0, 1]
    assert dscnn_distilled._moved(sample, -2)[-4:, 0].tolist() == [47, 48, 48, 48]
