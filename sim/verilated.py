"""prepare_make: what all simulators of Verilator have in common, compiled once: its runtime, and the headers of C++."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from .builds import cache_folder, kept_build

__all__ = ["prepare_make"]

_LIST = re.compile(r"^VM_GLOBAL_(?:FAST|SLOW) \+=((?:.*\\\n)*.*)$", re.MULTILINE)
_HEADERS = "narrows_headers.h"
_INCLUDED = '#include "verilated.h"\n#if VM_TIMING\n#include "verilated_timing.h"\n#endif\n'
_KINDS = {"fast": "-O1 -fexpensive-optimizations -fschedule-insns2 -ftree-pre -fgcse", "slow": "-O0"}
"""Verilator's kinds of sources, and how they are optimised. The named passes of GCC's ``-O2`` take no time that can be
told, and an eighth off a cycle; all of ``-O2`` takes a quarter longer to compile, and little more off a cycle."""


def prepare_make(folder: Path, make: Sequence[str], run: Callable[[Sequence[str]], None]) -> list[str]:
    """Put what does not depend on the design into a simulator's folder, from where builds are kept, or compiled now:
    the objects of Verilator's runtime, and its headers, precompiled.

    It depends on the compiler and how it is called; two thirds of what a small core's simulator takes to build go into
    it. The headers of one way to call the compiler take 190 MB.

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
        Arguments by which ``make`` takes all that as it is, and optimises the rest.
    """
    optimised = [f"OPT_{kind.upper()}={option}" for kind, option in _KINDS.items()]
    lists = [match[1] for path in folder.glob("*_classes.mk") for match in _LIST.finditer(path.read_text("utf-8"))]
    objects = [f"{name}.o" for names in lists for name in re.findall(r"\w+", names)]
    headers = [f"{_HEADERS}.{kind}.gch" for kind in _KINDS]
    (folder / _HEADERS).write_text(_INCLUDED, encoding="utf-8")
    whole = [*make, *optimised, f"VK_PCH_H={_HEADERS}"]
    commands = subprocess.run([*whole, "--dry-run", *objects, *headers], capture_output=True, text=True, check=False)
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False)
    if not objects or commands.returncode or compiler.returncode:
        return optimised  # make itself will say what is wrong
    told = re.sub(r"^make(\[\d+\])?: .*\n", "", commands.stdout, flags=re.MULTILINE)  # which names the folder
    key = hashlib.sha256((_INCLUDED + told + compiler.stdout).encode()).hexdigest()[:20]

    def build(scratch: Path) -> list[str]:
        run([*whole, *objects, *headers])
        for name in (*objects, *headers):
            shutil.move(folder / name, scratch / name)
        return [*objects, *headers]

    place = kept_build(cache_folder() / "verilated" / key, build)
    for name in objects:
        shutil.copy2(place / name, folder / name)
    for name in headers:  # linked, for their size; what is not precompiled for just this compiler is read as text
        (folder / name).symlink_to(place / name)
        (folder / name).with_suffix("").write_text(_INCLUDED, encoding="utf-8")
    included = [
        argument
        for kind, option in _KINDS.items()
        for argument in (f"OPT_{kind.upper()}={option} -include {_HEADERS}.{kind}", f"VK_PCH_I_{kind.upper()}=")
    ]
    return [f"VK_PCH_H={_HEADERS}", *included, *(f"--assume-old={name}" for name in (*objects, *headers))]
