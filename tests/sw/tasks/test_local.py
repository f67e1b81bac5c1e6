"""LocalProcesses: tasks in processes of this machine."""

import contextlib
import os
import threading

import pytest
from dask_processes import lives, wait_until
from narrows.sw.errors import InputError
from narrows.sw.tasks import HERE, in_order
from narrows.sw.tasks.local import LocalProcesses
from task_functions import SUPPORT, ends_its_process, fails, gated, process, program, square


@pytest.fixture(params=[1, 3])
def workers(request):
    with contextlib.closing(LocalProcesses(request.param, [SUPPORT])) as found:
        yield found


def test_results_are_those_of_this_process(workers):
    assert in_order(workers, square, 3, range(8)) == in_order(HERE, square, 3, range(8))
    assert os.getpid() not in in_order(workers, process, None, range(3))


def test_tasks_are_taken_as_processes_are_free(workers):
    taken = []
    results = workers.run(square, 1, (taken.append(n) or n for n in range(50)))
    next(results)
    results.close()
    assert len(taken) <= 6


def test_a_task_that_fails_ends_the_run(workers):
    with pytest.raises(InputError, match=r"^(3|4|5) is too much\n"):
        list(workers.run(fails, 3, range(9)))
    assert in_order(workers, square, 1, [2]) == [4]


def test_tasks_whose_processes_die_run_again(workers, tmp_path):
    assert in_order(workers, ends_its_process, str(tmp_path), range(3)) == [0, 1, 2]


def test_a_run_that_is_left_ends_its_tasks(workers, tmp_path):
    def first_task():
        yield 0
        wait_until((tmp_path / "program").exists)
        raise KeyboardInterrupt

    if workers._count == 1:
        pytest.skip("with one process the second task is not taken before the first has ended")
    with pytest.raises(KeyboardInterrupt):
        list(workers.run(program, str(tmp_path), first_task()))
    assert not lives(int((tmp_path / "program").read_text()))


def test_as_many_tasks_run_at_once_as_there_are_processes(tmp_path):
    with contextlib.closing(LocalProcesses(2, [SUPPORT])) as workers:
        opener = threading.Thread(target=_open_after_two, args=(tmp_path,))
        opener.start()
        assert dict(workers.run(gated, str(tmp_path), range(3))) == {0: 0, 1: 1, 2: 4}
        opener.join()


def _open_after_two(folder):
    wait_until(lambda: len(list(folder.glob("*.mark"))) == 2)
    (folder / "go").touch()
