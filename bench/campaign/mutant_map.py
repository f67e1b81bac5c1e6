"""Which tests a module's mutants are run against, and which mutants are known to change nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from narrows.sw.errors import InputError

__all__ = ["Notes", "TREES", "modules", "read_notes"]

TREES = ("hw", "sim", "sw/compile", "sw/frontend", "sw/passes", "sw/quantize", "sw/runtime")
"""Folders whose modules are changed."""


@dataclass(frozen=True)
class Notes:
    """What ``mutants.toml`` says.

    Parameters
    ----------
    tests : mapping
        Patterns of modules (as `fnmatch` takes them, blanks between several) to test files beside the mirrored one, or
        to tests of a file (``file::name``).
    equivalent : sequence of mapping
        Mutants that change nothing that can be asked for: ``file``, ``line`` (its text), ``before``, ``after``,
        ``reason``.
    """

    tests: Mapping[str, list[str]]
    equivalent: tuple[Mapping[str, str], ...]

    def tests_of(self, root: Path, module: str) -> tuple[str, ...]:
        """Tests of a module: the mirrored file first, then those of all patterns that match it.

        Raises
        ------
        InputError
            If there are none, or a file is not there.
        """
        path = Path(module)
        mirror = f"tests/{path.parent}/test_{path.name}"
        found = [mirror] if (root / mirror).exists() else []
        for pattern, tests in self.tests.items():
            if any(fnmatchcase(module, each) for each in pattern.split()):
                found += [test for test in tests if test not in found]
        missing = [test for test in found if not (root / test.partition("::")[0]).exists()]
        if missing:
            raise InputError(f"{missing[0]}, mapped to {module}, is not there")
        if not found:
            raise InputError(f"no tests are mapped to {module}: name some in bench/campaign/mutants.toml")
        return tuple(found)

    def reason(self, mutant: Mapping[str, Any]) -> str | None:
        """Why a mutant changes nothing; None where that is not known."""
        for known in self.equivalent:
            if all(known[key] == mutant[key] for key in ("file", "text", "before", "after")):
                return known["reason"]
        return None


def modules(root: Path, only: Iterable[str] = ()) -> list[str]:
    """Modules of all trees, those below the named folders or files if there are any."""
    found = [path.relative_to(root).as_posix() for tree in TREES for path in sorted((root / tree).rglob("*.py"))]
    chosen = tuple(name.rstrip("/") for name in only)
    return [name for name in found if not chosen or name in chosen or name.startswith(tuple(f"{c}/" for c in chosen))]


def read_notes(file: Path) -> Notes:
    """Read ``mutants.toml``."""
    with file.open("rb") as opened:
        content = tomllib.load(opened)
    return Notes(content.get("tests", {}), tuple(content.get("equivalent", ())))
