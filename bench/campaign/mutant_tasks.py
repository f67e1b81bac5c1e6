"""A mutant against its tests, as a task: in a scratch copy of the sources, which a process makes once."""

from __future__ import annotations

import compileall
import hashlib
import io
import json
import os
import py_compile
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .mutation import Change, apply

__all__ = ["Mutant", "Outcome", "Tree", "measure", "packed", "run_mutant", "run_unchanged"]

_PACKAGES = (
    *("pytest", "hypothesis", "numpy", "numpy.testing", "threadpoolctl", "rich", "typer"),
    *("amaranth", "amaranth.sim", "amaranth.back.rtlil", "amaranth.back.verilog", "amaranth.lib.memory"),
    *("onnx", "onnx.reference", "onnxruntime", "tflite", "z3", "torch"),
)
"""What tests import of others, the large ones; the runner has them before the first test."""

_FOLDERS = ("hw", "sw", "sim", "boards", "tests", "bench")


@dataclass(frozen=True)
class Tree:
    """Sources as they travel: an archive, and a digest of it."""

    archive: bytes
    digest: str


@dataclass(frozen=True)
class Mutant:
    """A change of a module, its tests, and the processor seconds that these may take."""

    file: str
    change: Change
    tests: tuple[str, ...]
    seconds: int


@dataclass(frozen=True)
class Outcome:
    """How tests ended: ``by`` is the one that failed, ``hang``, or why none began; empty if all passed."""

    by: str
    tests: tuple[str, ...]
    seconds: float


def packed(root: Path) -> Tree:
    """All that tests read, of a checkout."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        files = [path for folder in _FOLDERS for path in sorted((root / folder).rglob("*"))]
        for path in [*files, *sorted(root.glob("*.toml")), *sorted(root.glob("*.md"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                archive.writestr(zipfile.ZipInfo(path.relative_to(root).as_posix()), path.read_bytes())
    return Tree(buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest())


def run_mutant(tree: Tree, mutant: Mutant) -> Outcome:
    """Change a module in the scratch copy, run its tests up to the first that fails, change it back."""
    copy = _copy(tree)
    path = copy.root / mutant.file
    whole = path.read_text()
    path.write_text(apply(whole, mutant.change))
    try:
        return _tested(copy, mutant.tests, mutant.seconds)
    finally:
        path.write_text(whole)


def run_unchanged(tree: Tree, task: tuple[tuple[str, ...], int]) -> Outcome:
    """Run tests in the scratch copy as it is."""
    tests, seconds = task
    return _tested(_copy(tree), tests, seconds)


class _Copy:
    """A scratch copy, where ``narrows`` is found before any installed one, and the process that runs its tests.

    Byte code is held against the text of its source: a change may keep a file's size and second.
    """

    def __init__(self, tree: Tree) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="narrows-mutants-")
        self.root = Path(self._folder.name)
        with zipfile.ZipFile(io.BytesIO(tree.archive)) as archive:
            archive.extractall(self.root)
        package = self.root / "path" / "narrows"
        package.mkdir(parents=True)
        for name in ("hw", "sw", "sim", "boards"):
            if (self.root / name).is_dir():
                (package / name).symlink_to(self.root / name)
                compileall.compile_dir(
                    self.root / name, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
                )
        for file in (self.root / "sw" / "package").glob("*.py"):
            (package / file.name).symlink_to(file)
        if not (package / "__init__.py").exists():
            (package / "__init__.py").touch()
        self._runner = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("mutant_runner.py"), *self._packages()],
            cwd=self.root,
            env=os.environ | self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _packages(self) -> list[str]:
        """Those that the tests or the sources name."""
        texts = [path.read_text(errors="replace") for path in self.root.rglob("*.py")]
        roots = {package.partition(".")[0] for package in _PACKAGES}
        named = {name for name in roots if any(name in text for text in texts)}
        return [package for package in _PACKAGES if package.partition(".")[0] in named]

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.root / "path"), os.environ.get("PYTHONPATH")])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NARROWS_CACHE": str(self.root / "cache"),
            "COLUMNS": "10000",  # ids of tests are not cut off
        }

    def ask(self, tests: Sequence[str], seconds: int, measured: Path | None = None) -> str:
        """What ended these tests, as `mutant_runner.verdict` says it."""
        asked, answers = self._runner.stdin, self._runner.stdout
        assert asked is not None, "a pipe"
        assert answers is not None, "a pipe"
        asked.write(json.dumps([list(tests), seconds, measured and str(measured)]) + "\n")
        asked.flush()
        return json.loads(answers.readline())


def measure(tree: Tree, task: tuple[str, int]) -> tuple[dict[str, dict[str, Any]], bool]:
    """What each test of a file takes, and the lines that it reaches; those that ran within these processor seconds.

    Returns
    -------
    tests : dict
        By test: ``seconds``, and ``lines`` as `meter.Meter` writes them.
    whole : bool
        Whether those are all tests of the file.
    """
    file, seconds = task
    copy = _copy(tree)
    measured = copy.root / "measured.jsonl"
    measured.write_text("")
    ended = copy.ask((file,), seconds, measured)
    found = [json.loads(line) for line in measured.read_text().splitlines()]
    return {each.pop("test"): each for each in found}, ended != "hang"


_COPIES: dict[str, _Copy] = {}


def _copy(tree: Tree) -> _Copy:
    """The scratch copy of this process."""
    if tree.digest not in _COPIES:
        _COPIES[tree.digest] = _Copy(tree)
    return _COPIES[tree.digest]


def _tested(copy: _Copy, tests: Sequence[str], seconds: int) -> Outcome:
    began = time.monotonic()
    by = copy.ask(tests, seconds)
    return Outcome(by, tuple(tests), round(time.monotonic() - began, 2))
