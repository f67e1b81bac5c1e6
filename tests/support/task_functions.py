"""Tasks that tests hand out: they compute, fail, wait, end their process, start programs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from narrows.sw.errors import InputError
from narrows.sw.processes import run_process

__all__ = ["SUPPORT", "ends_its_process", "fails", "gated", "process", "program", "square"]

SUPPORT = Path(__file__).parent
"""The folder of this module: it travels with the tasks."""


def square(factor: int, number: int) -> int:
    """A number squared."""
    print("what tasks print is in nobody's way")  # noqa: T201
    return factor * number * number


def fails(limit: int, number: int) -> int:
    """Refuse numbers from a limit on."""
    if number >= limit:
        raise InputError(f"{number} is too much")
    return number


def process(shared: None, number: int) -> int:
    """The process that it runs in."""
    return os.getpid()


def gated(folder: str, number: int) -> int:
    """Say which process runs the task and whose child that is, and wait for a file ``go``."""
    mark = Path(folder) / f"{number}.{time.monotonic_ns()}.part"
    mark.write_text(f"{os.getpid()} {os.getppid()}")
    mark.rename(mark.with_suffix(".mark"))
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return number * number


def ends_its_process(folder: str, number: int) -> int:
    """End the process, unless a file named after the number is there; the file is made."""
    mark = Path(folder) / f"{number}"
    if number and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def program(folder: str, number: int) -> None:
    """Start a program that takes long; its process is in a file ``program``."""
    script = f"echo $$ > {folder}/part && mv {folder}/part {folder}/program && exec sleep 600"
    run_process(["sh", "-c", script], cwd=Path(folder), stdout=subprocess.DEVNULL)
