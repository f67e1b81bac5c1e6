"""When a wake word was heard."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.sw.audio.detection import heard
from narrows.sw.errors import InputError


def test_the_mean_of_the_last_frames_decides() -> None:
    probabilities = [0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9]
    assert heard(probabilities, 0.85, 3).tolist() == [False, False, True, False, False, False, True, True]
    assert heard(np.array(probabilities).reshape(8, 1), 0.85, 1).sum() == 7


def test_a_mean_at_the_cutoff_is_not_above_it() -> None:
    assert heard([0.5, 0.5], 0.5, 1).tolist() == [False, False]


def test_no_probabilities() -> None:
    assert heard(np.zeros(0), 0.5).tolist() == []
    with pytest.raises(InputError, match=r"one probability a frame, not by values of shape \(3,\)"):
        heard(np.zeros((4, 3)), 0.5)
    with pytest.raises(InputError, match="the mean of 0 frames"):
        heard([0.5], 0.5, 0)
