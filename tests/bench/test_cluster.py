"""bench/cluster.py: what its rows say, on tasks that only sleep."""

import pytest

pytest.importorskip("distributed")

import cluster
from campaign.timed_tasks import timed


def test_rows_of_one_worker_of_two_and_of_one_that_is_killed(monkeypatch):
    monkeypatch.setattr(cluster, "SLEEP_SECONDS", 0.1)
    rows = cluster.measured(cluster.sleeps(4))
    assert [(row.what, row.workers, row.tasks, row.same) for row in rows] == [
        ("sleeps", 1, 4, True),
        ("sleeps", 2, 4, True),
        ("sleeps, one worker killed", 2, 4, True),
    ]


def test_trials_are_measurements():
    work = cluster.trials(2)
    found = timed((work.function, work.shared), work.tasks[0])
    assert found.result.point == work.tasks[0]
    assert found.cpu_seconds > 0
