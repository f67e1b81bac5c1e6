"""Job: what passes through a folder between the calling process and the Python inside a simulator."""

from __future__ import annotations

import importlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...sw.errors import NarrowsError

__all__ = ["Job", "JobFunction", "JobResult", "Progress", "read_progress", "resolve", "write_progress"]

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A function to run inside the simulator, and its arguments.

    ``entry`` is ``"package.module:function"``, ``values`` must be JSON, ``folder`` is where further files may lie.
    """

    entry: str
    folder: Path
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Write the job to its folder."""
        _save(self.folder / "job", self.arrays, {"entry": self.entry, "values": dict(self.values)})

    @classmethod
    def load(cls, folder: Path) -> Job:
        """The job that :meth:`save` wrote to ``folder``."""
        arrays, header = _load(folder / "job")
        return cls(entry=header["entry"], folder=folder, arrays=arrays, values=header["values"])


JobFunction = Callable[[Any, Job, Progress], Awaitable[tuple[dict[str, NDArray[Any]], dict[str, Any]]]]
"""``async f(transport, job, progress) -> (arrays, values)``."""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What a job's function returned, or the error it raised; clock cycles and seconds it took."""

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    sim_cycles: int = 0
    wall_seconds: float = 0.0
    error: NarrowsError | None = None

    def save(self, folder: Path) -> None:
        """Write the result to the job's folder."""
        kind = type(self.error)
        error = None if self.error is None else [kind.__module__, kind.__qualname__, str(self.error)]
        header = {
            "values": dict(self.values),
            "error": error,
            "sim_cycles": self.sim_cycles,
            "wall_seconds": self.wall_seconds,
        }
        _save(folder / "result", self.arrays, header)

    @classmethod
    def load(cls, folder: Path) -> JobResult:
        """The result that :meth:`save` wrote to ``folder``; FileNotFoundError if there is none."""
        arrays, header = _load(folder / "result")
        error = None
        if header["error"] is not None:
            module, name, message = header["error"]
            error = getattr(importlib.import_module(module), name)(message)
        return cls(
            arrays=arrays,
            values=header["values"],
            sim_cycles=header["sim_cycles"],
            wall_seconds=header["wall_seconds"],
            error=error,
        )


def resolve(entry: str) -> JobFunction:
    """The function that ``"package.module:function"`` names."""
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)


def write_progress(folder: Path, done: int, total: int) -> None:
    """Leave the number of steps done for :func:`read_progress`."""
    scratch = folder / "progress.new"
    scratch.write_text(f"{done} {total}", encoding="ascii")
    scratch.replace(folder / "progress")


def read_progress(folder: Path) -> tuple[int, int] | None:
    """Steps done and steps in all, or None before the first."""
    try:
        done, total = (folder / "progress").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    return int(done), int(total)


def _save(stem: Path, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> None:
    named = {str(number): array for number, array in enumerate(arrays.values())}  # names may be any text
    np.savez(stem.with_suffix(".npz"), allow_pickle=False, **named)
    stem.with_suffix(".json").write_text(json.dumps({"arrays": list(arrays), **header}), encoding="utf-8")


def _load(stem: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    header = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    with np.load(stem.with_suffix(".npz"), allow_pickle=False) as archive:
        return {name: archive[str(number)] for number, name in enumerate(header["arrays"])}, header
