"""Workers: this process, and which others there are."""

import pytest
from narrows.sw.errors import InputError
from narrows.sw.tasks import HERE, in_order, open_workers
from narrows.sw.tasks.local import LocalProcesses
from shuffled_workers import ShuffledWorkers
from task_functions import fails, square


def test_here_tasks_run_one_after_the_other_as_they_are_asked_for():
    taken = []
    results = HERE.run(square, 3, (taken.append(n) or n for n in range(4)))
    assert next(results) == (0, 0)
    assert taken == [0]
    assert list(results) == [(1, 3), (2, 12), (3, 27)]
    assert HERE.serial


@pytest.mark.parametrize("seed", range(3))
def test_results_are_in_the_order_of_tasks_however_they_end(seed):
    told = []
    found = in_order(ShuffledWorkers(seed), square, 1, list(range(7)), lambda *steps: told.append(steps))
    assert found == [n * n for n in range(7)]
    assert told == [(done, 7) for done in range(8)]


def test_what_a_task_raises_is_raised():
    with pytest.raises(InputError, match=r"^5 is too much$"):
        in_order(HERE, fails, 5, range(9))


def test_without_cluster_and_processes_it_is_this_process():
    with open_workers() as workers:
        assert workers is HERE
    with open_workers(jobs=2) as workers:
        assert isinstance(workers, LocalProcesses)
        assert not workers.serial


def test_a_cluster_and_processes_are_too_many():
    with pytest.raises(InputError, match=r"^choose one of --cluster and --jobs"), open_workers("tcp://a:1", 2):
        pass
