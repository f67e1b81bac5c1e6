"""The three engines behind one result: what each gives for some samples of a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..program import Program
from .options import Engine

if TYPE_CHECKING:
    from ..quantised import QuantisedGraph
    from ..runtime.samples import SampleRecord

__all__ = ["EngineRun", "accuracy", "run_engine"]

Progress = Callable[[int, int], None]
_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """What N samples gave.

    ``outputs`` are levels of shape (N, C, H, W). ``tensors`` are those that layers wrote, for all samples (golden, if
    asked for) or for the first ones that dumps were asked for. ``checksums`` are of shape (N, instructions);
    ``cycles`` and ``busy``, of shape (N,), are counted by the machine, and so are ``layer_cycles``, of shape (dumps,
    layers): cycles of runs that end behind each layer. What an engine does not know is empty.
    """

    outputs: dict[str, NDArray[np.int64]]
    tensors: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    checksums: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.uint32))
    cycles: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    busy: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    layer_cycles: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    sim_cycles: int = 0
    wall_seconds: float = 0.0


def run_engine(
    engine: Engine,
    program: Program,
    levels: NDArray[np.int64],
    *,
    progress: Progress,
    dump_layers: int = 0,
    keep_tensors: bool = False,
    simulator: str = "verilator",
    verilog: str | None = None,
) -> EngineRun:
    """Run samples of shape (N, C, H, W) on an engine.

    ``keep_tensors`` keeps all tensors of the golden model, which takes memory for each of them and each sample;
    ``verilog`` replaces the core's own.
    """
    if engine is Engine.GOLDEN:
        return _golden(program, levels, progress, keep_tensors)
    if engine is Engine.ISA:
        return _isa(program, levels, progress, dump_layers)
    return _rtl(program, levels, progress, dump_layers, simulator, verilog)


def accuracy(graph: QuantisedGraph, tensors: Mapping[str, NDArray[np.int64]], labels: NDArray[Any]) -> float:
    """Share of samples whose class, by the first output, is the label (`Output.answers`), from levels (N, C, H, W)."""
    from ..runtime import restore_outputs

    first = graph.outputs[0]
    return float((first.answers(restore_outputs(graph, tensors)[first.name]) == labels).mean())


def _golden(program: Program, levels: NDArray[np.int64], progress: Progress, keep_tensors: bool) -> EngineRun:
    from ...sim.golden import GoldenModel

    graph = program.graph
    written = [layer.output for layer in graph.layers] if keep_tensors else []
    model, batches = GoldenModel(graph, program.config), []
    for start in range(0, len(levels), _BATCH):
        batches.append(model.run(levels[start : start + _BATCH], {*graph.output_tensors, *written}))
        progress(min(start + _BATCH, len(levels)), len(levels))
    tensors = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return EngineRun(
        outputs={name: tensors[name] for name in graph.output_tensors},
        tensors={name: tensors[name] for name in written},
    )


def _isa(program: Program, levels: NDArray[np.int64], progress: Progress, dump_layers: int) -> EngineRun:
    from ...sim.isa_transport import IsaTransport
    from ..runtime import run_sync
    from ..runtime.samples import run_samples

    transport = IsaTransport(program.config)
    return _machine(run_sync(run_samples(transport, program, levels, dump_layers=dump_layers, progress=progress)))


def _rtl(
    program: Program,
    levels: NDArray[np.int64],
    progress: Progress,
    dump_layers: int,
    simulator: str,
    verilog: str | None,
) -> EngineRun:
    from ...hw.verilog import to_verilog
    from ...sim.cosim.inference import run_program

    result = run_program(
        program,
        levels,
        verilog=verilog or to_verilog(program.config),
        simulator=simulator,
        dump_layers=dump_layers,
        progress=progress,
    )
    return _machine(result.record, sim_cycles=result.sim_cycles, wall_seconds=result.wall_seconds)


def _machine(record: SampleRecord, **simulation: Any) -> EngineRun:
    return EngineRun(
        outputs=record.outputs,
        tensors=record.dumps,
        checksums=record.checksums,
        cycles=record.cycles,
        busy=record.busy,
        layer_cycles=record.layer_cycles,
        **simulation,
    )
