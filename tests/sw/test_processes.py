"""Programs of others: how they end, and that nothing of them outlives who waits for them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from narrows.sw.processes import run_process, stoppable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_output_and_errors_go_to_one_file(tmp_path: Path) -> None:
    text = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    with (tmp_path / "log").open("wb") as log:
        finished = run_process(python(text), cwd=tmp_path, stdout=log)
    assert finished.returncode == 3
    assert finished.megabytes > 1
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_signal_is_a_negative_status(tmp_path: Path) -> None:
    text = "import os; os.kill(os.getpid(), 9)"
    assert run_process(python(text), cwd=tmp_path, stdout=None).returncode == -9
    assert run_process(python(text), cwd=tmp_path, stdout=None, tick=lambda: None).returncode == -9


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_what_a_program_started_is_killed_with_it(tmp_path: Path, stop: type[BaseException]) -> None:
    child = "import os, time; open('child', 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    started = tmp_path / "child"

    def tick() -> None:
        if started.exists() and started.read_text():
            raise stop

    with pytest.raises(stop):
        run_process(python(parent), cwd=tmp_path, stdout=None, tick=tick)
    number = int(started.read_text())
    for _ in range(100):
        if not alive(number):
            break
        time.sleep(0.05)
    assert not alive(number)


def test_a_request_to_stop_is_an_exception_within_the_block() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught, stoppable():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before is signal.SIG_DFL


def test_a_handler_that_is_there_stays() -> None:
    said: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: said.append(number))
    try:
        with stoppable():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert said == [signal.SIGTERM]


def test_another_thread_leaves_signals_alone() -> None:
    found: list[object] = []

    def ask() -> None:
        with stoppable():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


def alive(number: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        os.kill(number, 0)
        state = Path(f"/proc/{number}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
