"""DaskCluster: tasks on workers of a scheduler, killed in the middle, left in the middle, and of other versions."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

pytest.importorskip("distributed")

from dask_processes import killed, lives, scheduler, wait_until
from narrows.sw.errors import InputError, ToolMissing
from narrows.sw.tasks import HERE, in_order, open_workers
from narrows.sw.tasks import dask_cluster as module
from narrows.sw.tasks.dask_cluster import ClusterError
from task_functions import SUPPORT, ends_its_process, fails, gated, process, program, square

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def cluster():
    with scheduler(workers=2) as found:
        yield found


@pytest.fixture
def workers(cluster):
    with open_workers(cluster.address, modules=[SUPPORT]) as found:
        yield found


def marks(folder):
    """Processes of tasks that have begun, and those that started them."""
    return [tuple(map(int, path.read_text().split())) for path in sorted(folder.glob("*.mark"))]


def test_results_are_those_of_this_process(workers):
    assert in_order(workers, square, 3, range(20)) == in_order(HERE, square, 3, range(20))
    assert os.getpid() not in in_order(workers, process, None, range(4))


def test_what_a_task_raises_is_raised_here(workers):
    with pytest.raises(InputError, match=r"^\d is too much\n") as caught:
        list(workers.run(fails, 3, range(9)))
    assert "in fails" in caught.value.__notes__[0]
    assert in_order(workers, square, 1, [2]) == [4]


def test_a_process_that_dies_is_replaced(workers, tmp_path):
    assert in_order(workers, ends_its_process, str(tmp_path), range(3)) == [0, 1, 2]


def test_tasks_are_taken_as_there_are_workers_for_them(workers):
    taken = []
    results = workers.run(square, 1, (taken.append(n) or n for n in range(500)))
    next(results)
    results.close()
    assert len(taken) < 20


def test_a_worker_killed_in_the_middle_loses_nothing(tmp_path):
    with scheduler(workers=2) as cluster, open_workers(cluster.address, modules=[SUPPORT]) as workers:
        results = workers.run(gated, str(tmp_path), _until(tmp_path, cluster))
        found = dict(results)
    assert found == dict(HERE.run(square, 1, range(6)))
    begun = sorted(int(path.name.partition(".")[0]) for path in tmp_path.glob("*.mark"))
    assert len(begun) > 6, "a task of the killed worker has begun again"
    assert set(begun) == set(range(6))


def _until(folder, cluster):
    """Six tasks; with two under way a worker is killed, and another one takes its place."""
    yield 0
    yield 1
    wait_until(lambda: len(marks(folder)) == 2)
    helper, worker = marks(folder)[0]
    killed(worker)
    wait_until(lambda: not lives(helper))
    cluster.worker()
    (folder / "go").touch()
    yield from range(2, 6)


def test_an_error_in_making_tasks_is_that_error(workers):
    with pytest.raises(ZeroDivisionError):
        list(workers.run(square, 1, (1 // (5 - n) for n in range(9))))


def test_a_run_that_is_left_leaves_nothing_on_the_cluster(cluster, workers, tmp_path):
    def tasks():
        yield 0
        wait_until((tmp_path / "program").exists)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(workers.run(program, str(tmp_path), tasks()))
    started = int((tmp_path / "program").read_text())
    wait_until(lambda: not lives(started))
    wait_until(lambda: not any(_waiting(workers).values()))


def _waiting(workers):
    """Tasks that workers have, by worker."""
    return workers._client.processing()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_client_that_ends_leaves_nothing_on_the_cluster(cluster, tmp_path, number):
    script = f"""
import signal
import sys
import threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever is started in the background ignores it
sys.path.insert(0, {str(SUPPORT)!r})
from pathlib import Path
from narrows.sw.processes import stoppable
from narrows.sw.tasks import open_workers
from task_functions import program
with stoppable(), open_workers({cluster.address!r}, modules=[Path({str(SUPPORT)!r})]) as workers:
    list(workers.run(program, {str(tmp_path)!r}, [0]))
"""
    client = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    wait_until((tmp_path / "program").exists)
    client.send_signal(number)
    client.wait()
    started = int((tmp_path / "program").read_text())
    wait_until(lambda: not lives(started))


def test_a_cluster_that_goes_is_a_line(tmp_path):
    with scheduler(workers=1) as cluster, open_workers(cluster.address, modules=[SUPPORT]) as workers:

        def tasks():
            yield 0
            wait_until(lambda: len(marks(tmp_path)) == 1)
            cluster.end()
            yield 1

        with pytest.raises(ClusterError, match=r"^the cluster at tcp://127.0.0.1:\d+ does not answer any more: "):
            list(workers.run(gated, str(tmp_path), tasks()))
        wait_until(lambda: not lives(marks(tmp_path)[0][0]))


@pytest.mark.parametrize("address", ["nonsense", "tcp://host", "http://host:80", "tcp://host:port", ""])
def test_what_is_no_address(address):
    with pytest.raises(ClusterError, match=r"^--cluster must be a scheduler's address such as "), open_workers(address):
        pass


def test_nobody_answers():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for address in (f"tcp://127.0.0.1:{port}", "tcp://host.invalid:8786", "tcp://127.0.0.1:99999"):
        with pytest.raises(ClusterError, match=f"^no Dask scheduler answers at {address}: "), open_workers(address):
            pass


@pytest.mark.parametrize(
    ("says", "reason"), [(b"", "timed out"), (b"SSH-2.0-Any\r\n", "what answers is something else")]
)
def test_somebody_else_answers(monkeypatch, says, reason):
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as other:
        greeter = threading.Thread(target=lambda: kept.append(other.accept()[0]) or kept[0].sendall(says))
        kept = []
        greeter.start()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"^no Dask scheduler answers at {address}: {reason}$"):
            open_workers(address).__enter__()
        greeter.join()
        kept[0].close()


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 1.0)
    with (
        scheduler() as cluster,
        pytest.raises(ClusterError, match=f"^the scheduler at {cluster.address} has no workers: start some with"),
        open_workers(cluster.address),
    ):
        pass


def test_other_versions_at_a_worker(workers, monkeypatch):
    found = workers._client.get_versions(packages=["narrows"])
    name = next(iter(found["workers"]))
    place = f"^the worker at {name} has "
    for package, version, said in [
        ("python", "3.9.1.final.0", r"Python 3\.9, here is Python 3\.1"),
        ("narrows", "0.0.7", r"narrows 0\.0\.7, here is narrows "),
        ("narrows", None, "no narrows, here is narrows "),
        ("numpy", "1.0", r"numpy 1\.0, here is numpy "),
    ]:
        kept = found["workers"][name]["packages"]
        changed = found | {"workers": {name: {"packages": kept | {package: version}}}}
        monkeypatch.setattr(workers._client, "get_versions", lambda packages, changed=changed: changed)
        with pytest.raises(ClusterError, match=place + said):
            workers._check()


def test_other_modules_at_a_worker(workers, monkeypatch):
    monkeypatch.setattr(module, "identity", lambda: "other")
    with pytest.raises(ClusterError, match=r"^the worker at \S+ has other modules of narrows than this installation$"):
        in_order(workers, square, 1, [2])


def test_without_the_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    wanted = r"^tasks on a cluster need the package distributed: pip install 'narrows\[cluster\]'$"
    with pytest.raises(ToolMissing, match=wanted), contextlib.closing(module.DaskCluster("tcp://127.0.0.1:1")):
        pass
