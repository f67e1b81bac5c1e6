"""Tasks with what they took: seconds of wall clock, and of processors."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.runtime import prepare_input, restore_outputs
from numpy.typing import NDArray

__all__ = ["Timed", "golden_outputs", "sleep", "timed"]


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A task's result, seconds that it took, and processor seconds of it and of programs that it started."""

    result: Any
    seconds: float
    cpu_seconds: float


def timed(shared: tuple[Callable[[Any, Any], Any], Any], task: Any) -> Timed:
    """Run a task of another function, which ``shared`` names before what that shares."""
    function, inner = shared
    began, cpu = time.perf_counter(), _cpu_seconds()
    result = function(inner, task)
    return Timed(result=result, seconds=time.perf_counter() - began, cpu_seconds=_cpu_seconds() - cpu)


def sleep(seconds: float, number: int) -> int:
    """Take some time, and no processor."""
    time.sleep(seconds)
    return number


def golden_outputs(quantised: QuantisedGraph, config: AcceleratorConfig, x: NDArray) -> NDArray:
    """First output of the golden model, as `Measurer` asks for it."""
    tensors = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    return restore_outputs(quantised, tensors, raw=True)[quantised.outputs[0].name]


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
