"""run_program: a program on the simulated core, sample by sample, through the ordinary driver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...sw.program import Program
from ...sw.runtime import Driver, Transport
from .job import Job, Progress
from .session import simulate

__all__ = ["CosimResult", "infer", "run_program"]

_ENTRY = f"{__name__}:infer"
_COUNTERS = ("cycles", "busy", "stall_drain", "stall_walk")


@dataclass(frozen=True, kw_only=True)
class CosimResult:
    """What N samples gave on a simulated core.

    Parameters
    ----------
    outputs : dict of int64 arrays, shape (N, C, H, W)
        Levels of each output of the graph.
    checksums : array of uint32, shape (N, instructions without END)
        Of each sample and instruction.
    cycles, busy, stall_drain, stall_walk : arrays of int64, shape (N,)
        Counters of each sample's run.
    dumps : dict of int64 arrays, shape (D, C, H, W)
        Levels of every tensor that a layer writes, for the first D samples.
    sim_cycles : int
        Clock cycles simulated, transfers included.
    wall_seconds : float
        What they took, without the simulator's start.
    """

    outputs: dict[str, NDArray[np.int64]]
    checksums: NDArray[np.uint32]
    cycles: NDArray[np.int64]
    busy: NDArray[np.int64]
    stall_drain: NDArray[np.int64]
    stall_walk: NDArray[np.int64]
    dumps: dict[str, NDArray[np.int64]]
    sim_cycles: int
    wall_seconds: float


def run_program(
    program: Program,
    levels: ArrayLike,
    *,
    verilog: str,
    simulator: str = "verilator",
    dump_layers: int = 0,
    work_folder: Path | None = None,
    waves: bool = False,
    progress: Progress | None = None,
) -> CosimResult:
    """Run a program on a simulated core.

    Parameters
    ----------
    program : Program
    levels : array of int, shape (N, C, H, W)
        Levels of the graph's input tensor.
    verilog : str
        The core: what `narrows.hw.verilog.to_verilog` gives for ``program.config``.
    simulator : str
        ``"verilator"`` or ``"icarus"``.
    dump_layers : int
        For so many first samples, stop after each layer and read its tensor.
    work_folder, waves, progress
        As :func:`simulate` takes them; progress counts samples.

    Raises
    ------
    ToolMissing, SimulationError
        As :func:`simulate` does.
    ProgramError, TransportError, InputError
        As `Driver` does.
    """
    result = simulate(
        verilog, _ENTRY, arrays={"levels": np.asarray(levels, dtype=np.int64)}, values={"dump_layers": dump_layers},
        files=lambda folder: program.save(folder / "program.nrw"), simulator=simulator, work_folder=work_folder,
        waves=waves, progress=progress,
    )
    arrays = result.arrays
    return CosimResult(
        outputs=_group(arrays, "output"), dumps=_group(arrays, "dump"), checksums=arrays["checksums"],
        **{name: arrays[name] for name in _COUNTERS}, sim_cycles=result.sim_cycles, wall_seconds=result.wall_seconds,
    )


async def infer(transport: Transport, job: Job, progress: Progress) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The job inside the simulator; see :func:`run_program` for arguments and results."""
    program = Program.load(job.folder / "program.nrw")
    driver = Driver(transport, program.config)
    await driver.load(program)
    written = _last_instruction(program)
    results, dumps = [], {name: [] for name in written}
    for number, levels in enumerate(job.arrays["levels"]):
        results.append(await driver.infer(levels))
        if number < job.values["dump_layers"]:
            for name, index in written.items():
                await driver.run_until(index)
                dumps[name].append(await driver.dump(program.layouts[name]))
        progress(number + 1, len(job.arrays["levels"]))
    arrays: dict[str, NDArray[Any]] = {
        name: np.array([getattr(result, name) for result in results], dtype=np.int64) for name in _COUNTERS
    }
    arrays["checksums"] = np.array([result.checksums for result in results], dtype=np.uint32)
    for name, _ in program.graph.outputs:
        arrays[f"output {name}"] = np.array([result.outputs[name] for result in results])
    return arrays | {f"dump {name}": np.array(tensors) for name, tensors in dumps.items() if tensors}, {}


def _last_instruction(program: Program) -> dict[str, int]:
    """Index of the instruction after which each tensor that a layer writes is whole."""
    output = {layer.name: layer.output for layer in program.graph.layers}
    return {output[layer]: index for index, layer in enumerate(program.layers) if layer}


def _group(arrays: Any, prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(f"{prefix} "): array for name, array in arrays.items() if name.startswith(f"{prefix} ")}
