"""Random programs, and many programs on one simulated core, each compared with golden model and ISA model."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.cosim.core_source import WrittenOnDemand
from narrows.sim.cosim.inference import Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.runtime import Transport, run_sync
from narrows.sw.runtime.samples import run_samples
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_chain, random_levels

__all__ = [
    "Batch",
    "Trials",
    "check_batch",
    "check_programs",
    "check_random_programs",
    "check_seeds",
    "fitting_programs",
    "random_program",
]

Make = Callable[[GraphBuilder, int], QuantisedGraph]
"""Draws the graph of a seed."""

_COUNTERS = ("cycles", "busy", "stall_drain", "stall_walk")
_STALLS = ("stall_load", "stall_store", "stall_token")


def random_program(config: AcceleratorConfig, seed: int, layers: int) -> tuple[Program, NDArray[np.int64]]:
    """A program of so many random layers, and one sample (1, C, H, W).

    Raises
    ------
    CapacityError, CertificateError
        If what was drawn does not fit the core.
    """
    program = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), layers), config)
    return program, random_levels(program.graph, np.random.default_rng(seed))[np.newaxis]


def fitting_programs(config: AcceleratorConfig, make: Make) -> Iterator[tuple[int, tuple[Program, NDArray[np.int64]]]]:
    """Seeds from 1 on whose graph fits the core, without an end: each with its program and two samples (2, C, H, W)."""
    for seed in itertools.count(1):
        rng = np.random.default_rng(seed)
        try:
            program = compile_graph(make(GraphBuilder(config, rng), seed), config)
        except (CapacityError, CertificateError):
            continue
        yield seed, (program, np.stack([random_levels(program.graph, rng) for _ in range(2)]))


def check_random_programs(config: AcceleratorConfig, make: Make, count: int) -> None:
    """Assert that core, golden model and ISA model agree in everything on so many random programs that fit."""
    programs = dict(itertools.islice(fitting_programs(config, make), count))
    reports = dict(zip(programs, check_programs(config, list(programs.values())), strict=True))
    assert {seed: report["differences"] for seed, report in reports.items()} == {seed: [] for seed in programs}
    assert all(min(report["cycles"]) > 0 for report in reports.values())


def check_programs(
    config: AcceleratorConfig,
    programs: Sequence[tuple[Program, NDArray[np.int64]]],
    *,
    verilog: WrittenOnDemand | None = None,
    simulator: str = "verilator",
    bus: Mapping[str, int] | None = None,
    host: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Run programs, each with its samples (N, C, H, W), on one simulated core.

    ``bus`` are latency, pace and stall of the backing store (`CosimTransport.set_bus`), where there is one. Then only
    the steps have to agree to the cycle; what the cycle model says of the others is under ``model``. ``host`` are the
    stalls or the noise of the host (`set_host` of its transport).

    Returns
    -------
    list of dict
        For each program ``differences`` (texts; empty when golden model, ISA model and core agree in every tensor,
        checksum and counter), and the counters of its samples.
    """
    timing = BusTiming(latency=(bus or {}).get("latency", 1), pace=(bus or {}).get("pace", 1))

    async def compare_all(transport: Any) -> list[dict[str, Any]]:
        if bus:
            await transport.set_bus(**bus)
        if host:
            await transport.set_host(**host)
        reports = []
        for program, levels in programs:
            reports.append(await _compare(transport, program, levels, timing))
            if progress is not None:
                progress(len(reports), len(programs))
        return reports

    return simulate(verilog or CoreVerilog(config), compare_all, simulator=simulator).result


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Programs by seed, each with its samples (N, C, H, W), and the ``host`` of `check_programs` that they run with."""

    programs: Mapping[int, tuple[Program, NDArray[np.int64]]]
    host: Mapping[str, float]


def check_batch(config: AcceleratorConfig, batch: Batch) -> dict[int, dict[str, Any]]:
    """Check programs on a core, as a task. Reports, as of `check_programs`, by seed."""
    reports = check_programs(config, list(batch.programs.values()), host=batch.host)
    return dict(zip(batch.programs, reports, strict=True))


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Programs of seeds on one core: its ``config``, which draws their graphs as ``draw`` says (of a builder and the
    seed's number of ``layers``), and the ``bus`` of `check_programs`. Without ``simulates`` golden model and ISA model
    alone are compared."""

    config: AcceleratorConfig
    layers: int
    draw: Callable[[GraphBuilder, int], QuantisedGraph] = random_chain
    bus: Mapping[str, int] | None = None
    simulates: bool = True

    def program(self, seed: int) -> tuple[Program, NDArray[np.int64]]:
        """The program of a seed, and a sample (1, C, H, W), or two frames (2, C, H, W) where it has states; raises as
        `random_program` does."""
        rng = np.random.default_rng(seed)
        program = compile_graph(self.draw(GraphBuilder(self.config, rng), self.layers), self.config)
        return program, np.stack([random_levels(program.graph, rng) for _ in range(1 + bool(program.graph.states))])


def check_seeds(trials: Trials, seeds: Sequence[int]) -> tuple[dict[int, dict[str, Any]], int]:
    """Check the random programs of some seeds, as a task.

    Returns
    -------
    reports : dict of dict
        By seed, as `check_programs` gives them, with the number of ``instructions``.
    refused : int
        Seeds whose program does not fit.
    """
    programs: dict[int, tuple[Program, NDArray[np.int64]]] = {}
    for seed in seeds:
        with contextlib.suppress(CapacityError, CertificateError):
            programs[seed] = trials.program(seed)
    if not programs:
        return {}, len(seeds)
    cases = list(programs.values())
    if trials.simulates:
        reports = check_programs(trials.config, cases, bus=trials.bus)
    else:
        reports = [run_sync(_models_agree(*case)) for case in cases]
    for report, (program, _) in zip(reports, cases, strict=True):
        report["instructions"] = len(program.instructions) - 1
    return dict(zip(programs, reports, strict=True)), len(seeds) - len(programs)


async def _models_agree(program: Program, levels: NDArray[np.int64]) -> dict[str, Any]:
    """The report of a program that golden model and ISA model alone run."""
    model = await run_samples(IsaTransport(program.config), program, levels)
    golden = GoldenModel(program.graph, program.config).run(levels)
    wrong = _wrong_levels(" on the ISA model", model.outputs, golden)
    return {"differences": wrong, "cycles": model.cycles.tolist()}


def _wrong_levels(
    where: str, tensors: Mapping[str, NDArray[np.int64]], golden: Mapping[str, NDArray[np.int64]]
) -> list[str]:
    """What differs from the golden model, a text for each tensor."""
    differences = []
    for name, tensor in tensors.items():
        wrong = np.argwhere(tensor != golden[name])
        if len(wrong):
            place = tuple(wrong[0].tolist())
            differences.append(
                f"tensor {name}{where}: {len(wrong)} levels differ, the first at {place}: "
                f"{tensor[place]} instead of {golden[name][place]}"
            )
    return differences


async def _compare(
    transport: Transport, program: Program, levels: NDArray[np.int64], timing: BusTiming
) -> dict[str, Any]:
    core = await run_samples(transport, program, levels, dump_layers=len(levels))
    model = await run_samples(IsaTransport(program.config, bus=timing), program, levels)
    golden = GoldenModel(program.graph, program.config).run(levels)
    differences = []
    for where, tensors in (("", core.dumps), (" as output", core.outputs), (" on the ISA model", model.outputs)):
        differences += _wrong_levels(where, tensors, golden)
    if not np.array_equal(core.checksums, model.checksums):
        differences.append(f"checksums {core.checksums.tolist()}, the ISA model has {model.checksums.tolist()}")
    for name in ("busy",) if program.config.has_backing else _COUNTERS:
        if not np.array_equal(getattr(core, name), getattr(model, name)):
            differences.append(
                f"{name} {getattr(core, name).tolist()}, the cycle model has {getattr(model, name).tolist()}"
            )
    counters = {name: getattr(core, name).tolist() for name in (*_COUNTERS, *_STALLS)}
    return {
        "differences": differences,
        "model": {name: getattr(model, name).tolist() for name in counters},
    } | counters
