"""placement: what nextpnr's report says of a placed design: clock, cells, and the modules on its critical path."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PathStep", "Placement", "read_report"]


@dataclass(frozen=True, kw_only=True)
class PathStep:
    """A stretch of the critical path: nanoseconds in the cells and on the wires of one module."""

    module: str
    logic_ns: float
    routing_ns: float


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A placed and routed design.

    Parameters
    ----------
    fmax_mhz : float
        Highest clock of the domain that misses what it was asked by most, or if none does of that which was asked most.
    used, available : dict of int
        Cells by nextpnr's name of their kind.
    path : tuple of PathStep
        Critical path within that domain, from its register to its register.
    """

    fmax_mhz: float
    used: Mapping[str, int]
    available: Mapping[str, int]
    path: tuple[PathStep, ...]


def _named(cell: str) -> str:
    return cell.rpartition(".")[0]


def read_report(path: Path, module_of: Callable[[str], str] = _named) -> Placement:
    """Contents of a file that nextpnr wrote with ``--report``; ``module_of`` gives the module of a cell by its name."""
    report = json.loads(path.read_text(encoding="utf-8"))
    clock, timing = _decisive(report["fmax"])
    return Placement(
        fmax_mhz=timing["achieved"],
        used={kind: entry["used"] for kind, entry in report["utilization"].items() if entry["used"]},
        available={kind: entry["available"] for kind, entry in report["utilization"].items() if entry["used"]},
        path=_critical_path(report["critical_paths"], clock, module_of),
    )


def _decisive(clocks: Mapping[str, Mapping[str, float]]) -> tuple[str, Mapping[str, float]]:
    """The clock that tells whether a placement is good, as `Placement` says, with its ``achieved``."""
    missed = [item for item in clocks.items() if item[1]["achieved"] < item[1].get("constraint", 0)]
    if missed:
        return min(missed, key=lambda item: item[1]["achieved"] / item[1]["constraint"])
    return min(clocks.items(), key=lambda item: (-item[1].get("constraint", 0), item[1]["achieved"]))


def _critical_path(paths: list[dict[str, Any]], clock: str, module_of: Callable[[str], str]) -> tuple[PathStep, ...]:
    for path in paths:
        if path["from"] == path["to"] and path["from"].endswith(clock):
            break
    else:
        return ()
    steps: list[PathStep] = []
    for part in path["path"]:
        module = module_of(part["from"]["cell"])
        routing = part["type"] == "routing"
        step = PathStep(
            module=module, logic_ns=0.0 if routing else part["delay"], routing_ns=part["delay"] if routing else 0.0
        )
        if steps and steps[-1].module == module:
            last = steps.pop()
            step = PathStep(
                module=module,
                logic_ns=last.logic_ns + step.logic_ns,
                routing_ns=last.routing_ns + step.routing_ns,
            )
        steps.append(step)
    return tuple(steps)
