"""bench/end_to_end.py: what a sample takes with the board's own bit, of one simulated with a shorter one."""

from __future__ import annotations

import numpy as np
from end_to_end import _REQUEST_BYTES, at_bit, spans

REPLY = 24
FAST, OWN = 4, 33


def sample(divisor: int, run: int) -> np.ndarray:
    """Cycles, bytes sent and received up to the start, of the next frame, of the wait and of the answer, of a core
    that is busy for ``run`` cycles, on a line with pauses of 20 cycles."""

    def part(sent: int, received: int) -> list[int]:
        return [10 * divisor * (sent + received) + 20, sent, received]

    start, frame, scores = part(16, 8), part(300, 8), part(12, 48)
    poll = part(_REQUEST_BYTES, REPLY)
    polls = max(1, -(-(run - frame[0]) // poll[0]))
    return np.array([start, frame, [polls * value for value in poll], scores], dtype=np.float64)


def test_a_longer_bit_leaves_fewer_polls() -> None:
    for run in (1_000, 20_000, 110_000, 200_000):
        fast, own = sample(FAST, run), sample(OWN, run)
        assert fast[2, 1] >= own[2, 1]
        found, expected = at_bit(fast, FAST, OWN), own.sum(axis=0)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(at_bit(own, OWN, OWN), expected)


def test_spans_are_of_samples_between_others() -> None:
    rng = np.random.default_rng(3)
    parts = rng.integers(1, 100, (4, 4, 3))
    marks = np.cumsum(parts.reshape(-1, 3), axis=0).reshape(parts.shape)
    np.testing.assert_array_equal(spans(marks), parts[1:-1])
