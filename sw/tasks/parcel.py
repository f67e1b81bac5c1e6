"""Parcel: tasks as bytes, for another process of the same installation."""

from __future__ import annotations

import functools
import hashlib
import io
import pickle
import traceback
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Parcel", "answer", "lay_down", "opened_answer", "pack_job", "unpack_job"]

_CARRIED = {".py", ".v"}
"""Endings of files that travel: modules, and the Verilog beside them."""


@dataclass(frozen=True)
class Parcel:
    """What all tasks of a run need: modules beside ``narrows``, as `lay_down` takes them, and the shared object.

    Whoever has modules once can take other shared objects.
    """

    modules: bytes
    shared: bytes

    @classmethod
    def of(cls, shared: Any, modules: Sequence[Path] = ()) -> Parcel:
        """Pack an object, and modules of folders that lie in one common folder."""
        return cls(modules=pickle.dumps(_zipped(modules)), shared=pickle.dumps(shared))

    @functools.cached_property
    def tokens(self) -> tuple[str, str]:
        """What tells the modules from others, and the shared object."""
        return hashlib.sha256(self.modules).hexdigest(), hashlib.sha256(self.shared).hexdigest()


def lay_down(modules: bytes, folder: Path) -> list[Path]:
    """Write the modules of a parcel to a folder; the paths that are to be searched for them."""
    names, archive = pickle.loads(modules)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(folder)
    return [folder / name for name in names]


def pack_job(function: Callable[..., Any], task: Any) -> bytes:
    """A call of a function, of a module that can be imported elsewhere."""
    if function.__module__ == "__main__":
        raise ValueError(f"{function.__qualname__} is of a script, which no other process can import")
    return pickle.dumps((function, task))


def unpack_job(job: bytes) -> tuple[Callable[..., Any], Any]:
    """Function and task of `pack_job`."""
    return pickle.loads(job)


def answer(call: Callable[[], Any]) -> bytes:
    """What a call gives or raises; an exception with its traceback as a note, as it would else be lost."""
    try:
        return pickle.dumps((True, call()))
    except Exception as error:
        error.add_note("".join(traceback.format_exception(error)))
        try:
            found = pickle.dumps((False, error))
            pickle.loads(found)
            return found
        except Exception:  # one that does not travel
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def opened_answer(data: bytes) -> Any:
    """What a call gave elsewhere; what it raised is raised here."""
    good, value = pickle.loads(data)
    if not good:
        raise value
    return value


def _zipped(modules: Sequence[Path]) -> tuple[list[str], bytes]:
    """Names of folders within the one that holds them all, and an archive of their modules."""
    if not modules:
        root = Path()
    else:
        shared = [set(folder.resolve().parents) for folder in modules]
        root = max(set.intersection(*shared), key=lambda folder: len(folder.parts))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        for folder in modules:
            for path in sorted(folder.resolve().rglob("*")):
                if path.suffix in _CARRIED:
                    entry = zipfile.ZipInfo(str(path.relative_to(root)))  # without a time: equal files, equal bytes
                    files.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return [str(folder.resolve().relative_to(root)) for folder in modules], packed.getvalue()
