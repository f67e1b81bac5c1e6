"""Engine: what runs samples of a program, and what every one of them gives."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..linked import Linked
    from ..program import Program
    from ..runtime.resident import Turn
    from ..runtime.samples import SampleRecord

__all__ = ["Engine", "EngineName", "EngineRun", "Progress", "Simulator", "machine_run", "silent"]

Progress = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""


class EngineName(enum.StrEnum):
    """Engines that need nothing beside a program."""

    GOLDEN = "golden"
    ISA = "isa"
    RTL = "rtl"


class Simulator(enum.StrEnum):
    """What simulates the Verilog."""

    VERILATOR = "verilator"
    ICARUS = "icarus"


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """What N samples gave.

    ``outputs`` are levels of shape (N, C, H, W). ``tensors`` are those that layers wrote, for all samples (golden, if
    asked for, with what states held before each) or for the first ones that dumps were asked for. ``checksums`` are of
    shape (N, instructions); ``cycles`` and ``busy``, of shape (N,), are counted by the machine, and so are
    ``layer_cycles``, of shape (dumps, layers): cycles of runs that end behind each layer. What an engine does not know
    is empty. ``repeated`` are requests that a board's link had to send again, ``reruns``
    runs that a protected core did again, since words of its memories were damaged.
    """

    outputs: dict[str, NDArray[np.int64]]
    tensors: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    checksums: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.uint32))
    cycles: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    busy: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    layer_cycles: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    sim_cycles: int = 0
    wall_seconds: float = 0.0
    repeated: int = 0
    reruns: int = 0


class Engine(Protocol):
    """Runs programs."""

    @property
    def name(self) -> str:
        """What tables and messages call it."""
        ...

    def run(
        self,
        program: Program,
        levels: NDArray[np.int64],
        *,
        progress: Progress = ...,
        dump_layers: int = 0,
        keep_tensors: bool = False,
    ) -> EngineRun:
        """Run samples.

        Parameters
        ----------
        program : Program
        levels : array of int64, shape (N, C, H, W)
            Levels of the graph's input tensor.
        progress : callable
            Called with (samples done, samples in all).
        dump_layers : int
            Machines read every layer's tensor back for so many first samples.
        keep_tensors : bool
            The golden model keeps all tensors, which takes memory for each of them and each sample.

        Raises
        ------
        NarrowsError
            If a tool is missing or fails, or the machine refuses the program.
        """
        ...

    def run_turns(self, linked: Linked, turns: Sequence[Turn], *, progress: Progress = ...) -> list[EngineRun]:
        """Load programs together, once, and run samples of them by turns; a program with states goes on with its stream
        where its turn before left it.

        Parameters
        ----------
        linked : Linked
        turns : sequence of Turn
        progress : callable
            Called with (samples done, samples in all).

        Returns
        -------
        list of EngineRun
            One for each turn.

        Raises
        ------
        NarrowsError
            As :meth:`run` does.
        """
        ...


def silent(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def machine_run(record: SampleRecord, **more: Any) -> EngineRun:
    """What a machine's counters and memories gave."""
    return EngineRun(
        outputs=record.outputs,
        tensors=record.dumps,
        checksums=record.checksums,
        cycles=record.cycles,
        busy=record.busy,
        layer_cycles=record.layer_cycles,
        reruns=record.reruns,
        **more,
    )
