"""The first hour as a user has it: from an empty folder and the wheel, all that docs/first_hour.md says.

    make hour                                                               # of the wheel that `make dist` makes
    python bench/first_hour.py dist/narrows-0.2.0-py3-none-any.whl
    python bench/first_hour.py --python .venv/bin/python --no-placement     # an environment that is there; no bitstream

Every command and program of the page runs in its order. In the place of the board at a USB port stands `narrows board
simulate`; `board flash` is left out. Commands with many samples get fewer (`FEWER`). Status 1 if one fails. It needs no
package itself.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FEWER", "Step", "first_hour", "steps_of"]

PAGE = Path(__file__).parents[1] / "docs" / "first_hour.md"

FEWER: Mapping[str, tuple[str, ...]] = {
    "run": ("--limit", "20"),
    "verify": ("--limit", "2"),
    "explain": ("--quick",),
    "board run": ("--limit", "2"),
}
"""What is added to commands, so that they end soon."""

_FRAMEWORKS = ("torch", "keras")
_INSTALL = re.compile(r"pip install '\.\[(.*)\]'")
_PLAYED = re.compile(r": (\S+); open it with (.*)$")


@dataclass(frozen=True)
class Step:
    """A command of narrows, as words, or a program in Python, as one text."""

    words: tuple[str, ...]
    program: str = ""

    @property
    def name(self) -> str:
        """The command's name, or of a program what it is with."""
        if self.program:
            return f"program with {self.framework or 'numpy'}"
        return " ".join(self.words[: 2 if self.words[0] == "board" else 1])

    @property
    def framework(self) -> str:
        """The framework that a program imports."""
        return next((name for name in _FRAMEWORKS if f"import {name}\n" in self.program), "")


def steps_of(page: str) -> list[Step]:
    """Commands and programs of a page, in order."""
    found = re.finditer(
        r"^    narrows (?P<command>[^\n]*)$|^```python\n(?P<program>.*?)^```", page, re.MULTILINE | re.DOTALL
    )
    return [
        Step(tuple(shlex.split(each["command"]))) if each["command"] else Step((), each["program"]) for each in found
    ]


def first_hour(
    folder: Path, python: Path, *, placement: bool, frameworks: tuple[str, ...]
) -> Iterator[tuple[Step, float]]:
    """Do all that the page says in a folder, with the narrows of an interpreter; every step with the seconds it took.

    Programs of other ``frameworks``, and without ``placement`` bitstreams, are left out.

    Raises
    ------
    subprocess.CalledProcessError
        If a step fails.
    """
    narrows = [str(python), "-m", "narrows"]
    for step in steps_of(PAGE.read_text(encoding="utf-8")):
        if step.name == "board flash" or (step.name == "board build" and not placement):
            continue
        if step.framework and step.framework not in frameworks:
            continue
        started = time.perf_counter()
        if step.program:
            subprocess.run([python, "-c", step.program], cwd=folder, check=True)
        elif step.name == "board run":
            with _played_board(narrows, step.words[2], folder) as (port, how):
                words = [port if before == "--port" else word for before, word in itertools.pairwise(("", *step.words))]
                subprocess.run([*narrows, *words, *how, *FEWER[step.name]], cwd=folder, check=True)
        else:
            subprocess.run([*narrows, *step.words, *FEWER.get(step.name, ())], cwd=folder, check=True)
        yield step, time.perf_counter() - started


@contextlib.contextmanager
def _played_board(narrows: list[str], board: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The port of a board that is simulated meanwhile, and how to open it."""
    command, unbuffered = [*narrows, "board", "simulate", board], os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=unbuffered, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = next((found for line in process.stdout if (found := _PLAYED.search(line))), None)
            if told is None:
                raise subprocess.CalledProcessError(process.wait(), command)
            yield told[1], told[2].split()
        finally:
            process.terminate()


def _environment(folder: Path, wheel: Path) -> Path:
    """The interpreter of a new environment with a wheel and what the page installs beside it."""
    extras = _INSTALL.search(PAGE.read_text(encoding="utf-8"))
    assert extras is not None
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = f"{wheel.absolute()}[{','.join([extras[1], *_FRAMEWORKS])}]"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wanted], check=True)
    return python


def main() -> int:
    """Do the first hour; 1 if a step fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("wheel", type=Path, nargs="?", help="what is installed")
    source.add_argument("--python", type=Path, help="an environment's, in place of a new one")
    parser.add_argument("--no-placement", action="store_true", help="make no bitstream")
    parser.add_argument("--framework", choices=_FRAMEWORKS, nargs="*", default=_FRAMEWORKS, help="of the own networks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="narrows-hour-") as scratch:
        place = Path(scratch) / "work"
        place.mkdir()
        try:
            python = options.python or _environment(Path(scratch) / "hour", options.wheel)
            steps = first_hour(
                place, python.absolute(), placement=not options.no_placement, frameworks=tuple(options.framework)
            )
            for step, seconds in steps:
                print(f"-- {step.name}: {seconds:.0f} s", flush=True)  # noqa: T201 - a script's result
        except subprocess.CalledProcessError as error:
            print(f"failed: {error}", file=sys.stderr)  # noqa: T201 - a script's result
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
