"""Schedule: units begin when their tokens are there, and whoever waits is counted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.schedule import TOKEN_FLAGS, DeadlockError, Schedule
from narrows.hw.spec.transfer import QUEUE_DEPTH


def flags(*names: str) -> dict[str, int]:
    return {name: int(name in names) for name in TOKEN_FLAGS}


def compute(schedule: Schedule, index: int, fields: dict[str, int], cycles: int, moment: int) -> int:
    """A COMPUTE of so many cycles; the one in which it starts."""
    begin = schedule.compute(index, fields, moment)
    schedule.computed(index, fields, begin + cycles)
    return begin


def test_a_compute_waits_for_its_load_and_that_counts_as_load() -> None:
    schedule = Schedule()
    entered = schedule.transfer(Opcode.LOAD, 0, flags("post_next"), 100, 17)
    begin = compute(schedule, 1, flags("wait_prev"), 50, 35)
    assert entered == 17
    assert begin == schedule.finishes[0] + 1
    assert (schedule.stall_load, schedule.stall_token) == (begin - 35, 0)
    assert schedule.end(begin + 50) == begin + 50


def test_waiting_for_a_load_that_itself_waits_counts_as_token() -> None:
    schedule = Schedule()
    compute(schedule, 0, flags("post_next"), 10, 0)
    schedule.transfer(Opcode.STORE, 1, flags("wait_prev", "post_next"), 200, 20)
    schedule.transfer(Opcode.LOAD, 2, flags("wait_prev", "post_next"), 30, 30)
    begin = compute(schedule, 3, flags("wait_prev"), 10, 50)
    assert schedule.begins[2] == schedule.finishes[1] + 1
    assert schedule.stall_load == schedule.finishes[2] - schedule.begins[2]
    assert schedule.stall_token == begin - 50 - schedule.stall_load


def test_a_unit_works_in_order_and_its_queue_has_an_end() -> None:
    schedule = Schedule()
    entered = [schedule.transfer(Opcode.LOAD, index, flags(), 100, index) for index in range(QUEUE_DEPTH + 3)]
    assert entered[: QUEUE_DEPTH + 1] == list(range(QUEUE_DEPTH + 1))
    assert entered[QUEUE_DEPTH + 1] == schedule.begins[1] + 1
    finishes = [schedule.finishes[index] for index in range(len(entered))]
    assert all(after - before == 101 for before, after in pairwise(finishes))
    assert schedule.end(0) == finishes[-1] + 1


@pytest.mark.parametrize("wait", ["wait_prev", "wait_next"])
def test_a_compute_without_a_token_to_come_is_a_deadlock(wait: str) -> None:
    with pytest.raises(DeadlockError) as caught:
        Schedule().compute(3, flags(wait), 0)
    assert caught.value.index == 3


def test_a_load_that_waits_for_ever_is_a_deadlock_at_the_end_or_once_the_queue_is_full() -> None:
    schedule = Schedule()
    for index in range(QUEUE_DEPTH):
        schedule.transfer(Opcode.LOAD, index, flags("wait_next"), 10, index)
    with pytest.raises(DeadlockError, match="instruction 0 waits for a token that never comes"):
        schedule.end(100)
    with pytest.raises(DeadlockError):
        schedule.transfer(Opcode.LOAD, QUEUE_DEPTH, flags(), 10, 100)


def test_a_token_that_comes_later_sets_a_load_free() -> None:
    begun = []
    schedule = Schedule(lambda opcode, index, fields: begun.append((opcode, index)))
    schedule.transfer(Opcode.LOAD, 0, flags("wait_next"), 10, 0)
    assert begun == []
    compute(schedule, 1, flags("post_prev"), 40, 5)
    assert begun == [(Opcode.LOAD, 0)]
    assert schedule.begins[0] == schedule.finishes[1] + 1
