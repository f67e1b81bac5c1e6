"""read_saif: how often signals changed, from a simulator's switching activity file (SAIF 2.0, IEEE 1801 annex)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from .errors import SimulationError

__all__ = ["Saif", "Switching", "read_saif"]

_INSTANCE = re.compile(r"\s*\(INSTANCE (\S+)")
_DURATION = re.compile(r"\(DURATION (\d+)\)")
_TOGGLES = re.compile(r"\(TC (\d+)\)")


class Switching(NamedTuple):
    """Bits of signals, and how often they changed, in all."""

    bits: int
    toggles: int


class Saif(NamedTuple):
    """A file's simulated time in picoseconds, and what it says of each instance's own signals, by its path of names."""

    duration: int
    instances: dict[tuple[str, ...], Switching]


def read_saif(path: Path) -> Saif:
    """Read a file as Verilator writes it: a net, a head or a closing bracket a line.

    Raises
    ------
    SimulationError
        If it ends too soon.
    """
    duration, found = 0, {}
    stack: list[str | None] = []  # names of instances; None of their nets
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if "(TC " in line:
                place = tuple(name for name in stack if name is not None)
                bits, toggles = found.get(place, Switching(0, 0))
                count = _TOGGLES.search(line)
                assert count is not None
                found[place] = Switching(bits + 1, toggles + int(count[1]))
            elif (instance := _INSTANCE.match(line)) is not None:
                stack.append(instance[1])
            elif line.strip() == "(NET":
                stack.append(None)
            elif line.strip() == ")":
                if stack:
                    stack.pop()
                else:
                    return Saif(duration, found)
            elif (told := _DURATION.match(line)) is not None:
                duration = int(told[1])
    raise SimulationError(f"{path} ends too soon: it is no whole switching activity file")
