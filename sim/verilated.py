"""shared_runtime: Verilator's own runtime, compiled once and not with each simulator."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from .builds import cache_folder, kept_build

__all__ = ["shared_runtime"]

_LIST = re.compile(r"^VM_GLOBAL_(?:FAST|SLOW) \+=((?:.*\\\n)*.*)$", re.MULTILINE)


def shared_runtime(folder: Path, make: Sequence[str], run: Callable[[Sequence[str]], None]) -> list[str]:
    """Put the runtime's objects into a simulator's folder, from where builds are kept, or compiled now.

    They depend on the compiler and how it is called, not on the design: half of what a small core's simulator takes to
    build goes into them.

    Parameters
    ----------
    folder : Path
        Where Verilator wrote C++ and makefiles.
    make : sequence of str
        The command that builds it there, without targets.
    run : callable
        Runs a command; raises if it fails.

    Returns
    -------
    list of str
        Arguments by which ``make`` takes them as they are.
    """
    lists = [match[1] for path in folder.glob("*_classes.mk") for match in _LIST.finditer(path.read_text("utf-8"))]
    objects = [f"{name}.o" for names in lists for name in re.findall(r"\w+", names)]
    commands = subprocess.run([*make, "--dry-run", *objects], capture_output=True, text=True, check=False)
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False)
    if not objects or commands.returncode or compiler.returncode:
        return []  # make itself will say what is wrong
    told = re.sub(r"^make(\[\d+\])?: .*\n", "", commands.stdout, flags=re.MULTILINE)  # which names the folder
    key = hashlib.sha256((told + compiler.stdout).encode()).hexdigest()[:20]

    def build(scratch: Path) -> list[str]:
        run([*make, *objects])
        for name in objects:
            shutil.copy2(folder / name, scratch / name)
        return objects

    place = kept_build(cache_folder() / "verilated" / key, build)
    for name in objects:
        shutil.copy2(place / name, folder / name)
    return [f"--assume-old={name}" for name in objects]
