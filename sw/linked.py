"""Linked: several programs that are resident in one core at once, and the ``.nrw`` file that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.errors import among
from .container import contained, pack_container
from .errors import ProgramError, UnknownProgram
from .files import write_whole
from .program import Program

__all__ = ["Linked", "first_of", "load_all", "load_program"]

_SHARED = ("blocks", "taps", "params", "weights", "tables", "backing")
_OWN = ("config", "config_digest")  # one for all


@dataclass(frozen=True, eq=False)
class Linked(Mapping[str, Program]):
    """Programs by name, in the order in which their instructions lie in the memory.

    Each of them is a `Program` by itself: its blocks, taps, parameters, weights and tables are those of all, its
    instructions its own, from `Program.entry` on.

    Parameters
    ----------
    programs : dict of Program

    Raises
    ------
    ProgramError
        If there are none, they are not for one core, their tables are not the same, or instructions lie in one place.
    """

    programs: dict[str, Program]

    def __post_init__(self) -> None:
        if not self.programs or not all(self.programs):
            raise ProgramError("there is no program, or one without a name")
        first, end = next(iter(self.programs.values())), 0
        for name, program in self.programs.items():
            if program.config != first.config:
                raise ProgramError(f"{name} is for another core than the programs before it")
            if any(not np.array_equal(getattr(program, table), getattr(first, table)) for table in _SHARED):
                raise ProgramError(f"{name} has other tables than the programs before it")
            if program.entry < end:
                raise ProgramError(f"the instructions of {name} lie where others do")
            end = program.entry + len(program.instructions)

    def __getitem__(self, name: str) -> Program:
        """The program of a name; UnknownProgram if there is none."""
        if name not in self.programs:
            raise UnknownProgram(f"there is no program {name!r}: {among(name, 'programs', list(self.programs))}")
        return self.programs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.programs)

    def __len__(self) -> int:
        return len(self.programs)

    @property
    def config(self) -> AcceleratorConfig:
        """Of the core that they are for."""
        return next(iter(self.programs.values())).config

    @property
    def window_bytes(self) -> int:
        """Of the window on the backing store, which is one for all."""
        return next(iter(self.programs.values())).window_bytes

    def to_bytes(self) -> bytes:
        """Contents of the file, with shared tables once; equal for equal programs."""
        listed: list[dict[str, Any]] = []
        arrays: dict[str, NDArray[Any]] = {}
        common: dict[str, Any] = {}
        for number, (name, program) in enumerate(self.programs.items()):
            manifest, own = program.to_parts()
            common = {key: manifest.pop(key) for key in _OWN}
            arrays |= {key: own.pop(key) for key in _SHARED} if not number else {}
            arrays |= {f"program{number}.{key}": array for key, array in own.items() if key not in _SHARED}
            listed.append({"name": name, **manifest})
        return pack_container({**common, "programs": listed}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "programs") -> Linked:
        """Programs of a file's contents, one where it holds a single one; ``name`` is what messages call the file.

        Raises
        ------
        ProgramMismatch, ProgramError
            As `Program.from_bytes` does.
        """

        def make(manifest: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Linked:
            if "programs" not in manifest:
                return cls({str(manifest["graph"]["name"]) or "program": Program.from_parts(manifest, arrays)})
            common = {key: manifest[key] for key in _OWN}
            shared = {key: arrays[key] for key in _SHARED}
            programs: dict[str, Program] = {}
            for number, listed in enumerate(manifest["programs"]):
                prefix = f"program{number}."
                own = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
                if not isinstance(listed["name"], str) or listed["name"] in programs:
                    raise ValueError(f"the name of program {number} is no name, or taken")
                programs[listed["name"]] = Program.from_parts({**common, **listed}, {**shared, **own})
            return cls(programs)

        return contained(data, name, make)

    def save(self, path: Path) -> None:
        """Write the file; it appears whole or not at all. ProgramError if it cannot be written."""
        try:
            write_whole(path, self.to_bytes())
        except OSError as error:
            raise ProgramError(f"cannot write programs {path}: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: Path) -> Linked:
        """Programs of a file; errors are those of `Program.load`."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ProgramError(f"cannot read program {path}: {error.strerror or error}") from error
        return cls.from_bytes(data, str(path))


def load_program(path: Path, name: str | None = None) -> Program:
    """The program of a file, or that of a name where it holds several.

    Raises
    ------
    InputError
        If it holds several and none is named, or none of that name.
    ProgramMismatch, ProgramError
        As `Program.load` does.
    """
    return Program.load(path) if name is None else Linked.load(path)[name]


def load_all(path: Path) -> Program | Linked:
    """The only program of a file, or all of them; errors are those of `Program.load`."""
    linked = Linked.load(path)
    return linked if len(linked) > 1 else first_of(linked)


def first_of(program: Program | Linked) -> Program:
    """A program, or the first of several."""
    return next(iter(program.values())) if isinstance(program, Linked) else program
