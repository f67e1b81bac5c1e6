"""Helpers: processes that run tasks, die and are replaced, and end when nobody wants what they do."""

import threading

import pytest
from dask_processes import killed, lives, wait_until
from narrows.sw.tasks.helpers import Helpers, NotWanted, TaskDied
from narrows.sw.tasks.parcel import Parcel, opened_answer, pack_job
from task_functions import SUPPORT, ends_its_process, gated, process, program, square


@pytest.fixture
def helpers():
    found = Helpers()
    yield found
    found.close()


def yes():
    """Somebody waits."""
    return True


def test_a_process_runs_one_task_after_the_other(helpers):
    parcel = Parcel.of(None, [SUPPORT])
    first, second = (opened_answer(helpers.call(parcel, pack_job(process, n), yes)) for n in range(2))
    assert first == second
    assert lives(first)
    helpers.close()
    assert not lives(first)


def test_other_modules_have_processes_of_their_own_and_other_shared_objects_do_not(helpers):
    first, second = (Parcel.of(factor, [SUPPORT]) for factor in (1, 2))
    assert opened_answer(helpers.call(first, pack_job(square, 3), yes)) == 9
    assert opened_answer(helpers.call(second, pack_job(square, 3), yes)) == 18
    own = opened_answer(helpers.call(first, pack_job(process, 3), yes))
    assert opened_answer(helpers.call(second, pack_job(process, 3), yes)) == own
    pair = Parcel.of(1, [SUPPORT, SUPPORT.parent / "bench"])
    assert opened_answer(helpers.call(pair, pack_job(process, 3), yes)) != own


def test_a_process_without_work_is_let_go():
    helpers = Helpers(idle_seconds=0.05)
    found = opened_answer(helpers.call(Parcel.of(None, [SUPPORT]), pack_job(process, 0), yes))
    wait_until(lambda: not lives(found))
    assert opened_answer(helpers.call(Parcel.of(2, [SUPPORT]), pack_job(square, 3), yes)) == 18


def test_a_task_whose_process_dies_runs_again(helpers, tmp_path):
    parcel = Parcel.of(str(tmp_path), [SUPPORT])
    assert opened_answer(helpers.call(parcel, pack_job(ends_its_process, 4), yes)) == 4
    assert (tmp_path / "4").exists()


def test_a_task_that_ends_its_process_every_time_is_given_up(helpers, tmp_path):
    with pytest.raises(TaskDied, match=r"^a task ended its process 3 times \(signal 9\): is there enough memory"):
        helpers.call(Parcel.of(str(tmp_path), [SUPPORT]), pack_job(ends_its_process, -1), yes)


def test_where_nobody_waits_any_more_the_task_and_its_program_end(helpers, tmp_path):
    stop, caught = threading.Event(), []

    def call():
        try:
            helpers.call(Parcel.of(str(tmp_path), [SUPPORT]), pack_job(program, 0), lambda: not stop.is_set())
        except NotWanted as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    wait_until((tmp_path / "program").exists)
    started = int((tmp_path / "program").read_text())
    assert lives(started)
    stop.set()
    thread.join()
    assert len(caught) == 1
    assert not lives(started)


def test_a_killed_process_loses_nothing(helpers, tmp_path):
    found = []
    call = lambda: found.append(helpers.call(Parcel.of(str(tmp_path), [SUPPORT]), pack_job(gated, 5), yes))  # noqa: E731
    thread = threading.Thread(target=call)
    thread.start()
    wait_until(lambda: len(list(tmp_path.glob("*.mark"))) == 1)
    killed(int(next(tmp_path.glob("*.mark")).read_text().split()[0]))
    wait_until(lambda: len(list(tmp_path.glob("*.mark"))) == 2)
    (tmp_path / "go").touch()
    thread.join()
    assert [opened_answer(each) for each in found] == [25]
