"""compare_engines: every engine on the same samples, compared layer by layer, element by element."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engines import EngineName, EngineRun
from ..program import Program
from ..tasks import HERE, Workers
from .spread import run_samples

__all__ = ["Comparison", "Mismatch", "compare_engines", "compare_predicted", "compare_runs"]

ProgressBar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A tensor of a sample in which an engine differs from the golden model.

    ``index`` (c, y, x) is its first such element, ``differing`` their number. A tensor that was only compared by
    checksum has no ``index``, and checksums as ``expected`` and ``found``.
    """

    engine: str
    sample: int
    layer: str
    tensor: str
    index: tuple[int, ...] | None
    expected: int
    found: int
    differing: int

    def __str__(self) -> str:
        where = "checksum" if self.index is None else f"element {self.index} ({self.differing} differ)"
        return (
            f"{self.engine}, sample {self.sample}, layer {self.layer}, tensor {self.tensor}, {where}: "
            f"{self.found} instead of {self.expected}"
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs by engine, the golden model's first, and all mismatches in the order of samples and layers."""

    runs: Mapping[EngineName, EngineRun]
    mismatches: Sequence[Mismatch]

    def to_dict(self, program: Program) -> dict[str, Any]:
        """The comparison as JSON holds it."""
        machine = [run for run in self.runs.values() if len(run.cycles)]
        return {
            "images": len(next(iter(self.runs[EngineName.GOLDEN].outputs.values()))),
            "engines": [engine.value for engine in self.runs],
            "layers": [layer.name for layer in program.graph.layers],
            "mismatches": len(self.mismatches),
            "cycles": float(machine[-1].cycles.mean()) if machine else 0.0,
            "differences": [asdict(mismatch) for mismatch in self.mismatches],
        }


def compare_engines(
    program: Program,
    levels: NDArray[np.int64],
    engines: Sequence[EngineName],
    *,
    bar: ProgressBar,
    simulator: str = "verilator",
    workers: Workers = HERE,
) -> Comparison:
    """Run samples of shape (N, C, H, W) on the golden model and on ``engines``, and compare every layer's tensor.

    Every tensor is read back from activation memory; the checksums of the Verilog are compared with those of the
    instruction-set model as well. ``workers`` each run some of the samples.
    """
    runs: dict[EngineName, EngineRun] = {}
    for engine in dict.fromkeys((EngineName.GOLDEN, *engines)):
        with bar(f"running ({engine})") as progress:
            runs[engine] = run_samples(program, levels, engine, simulator=simulator, progress=progress, workers=workers)
    return Comparison(runs=runs, mismatches=compare_runs(program, runs))


def compare_runs(program: Program, runs: Mapping[EngineName, EngineRun]) -> list[Mismatch]:
    """Mismatches of all engines against the golden model, and of the Verilog's checksums against the ISA model's."""
    golden = runs[EngineName.GOLDEN]
    found: list[Mismatch] = []
    for engine, run in runs.items():
        if engine is not EngineName.GOLDEN:
            found += _tensors(program, engine, golden, run)
    if EngineName.ISA in runs and EngineName.RTL in runs:
        expected = [tuple(int(value) for value in sample) for sample in runs[EngineName.ISA].checksums]
        found += _unseen(found, _checksums(program, EngineName.RTL, expected, runs[EngineName.RTL]))
    return found


def compare_predicted(
    program: Program, engine: EngineName, golden: EngineRun, run: EngineRun, *, inputs: NDArray[np.int64]
) -> list[Mismatch]:
    """Mismatches of one engine against the golden model: the tensors it dumped, and for all samples the checksum that
    the golden model predicts for every layer.

    ``inputs`` are the samples' levels, of shape (N, C, H, W).
    """
    from ...sim.expected import expected_checksums

    tensors = golden.tensors | {program.graph.input.tensor: inputs}
    expected = [
        expected_checksums(program, {name: levels[sample] for name, levels in tensors.items()})
        for sample in range(len(inputs))
    ]
    found = _tensors(program, engine, golden, run)
    return found + _unseen(found, _checksums(program, engine, expected, run))


def _unseen(found: Sequence[Mismatch], more: Sequence[Mismatch]) -> list[Mismatch]:
    seen = {(mismatch.engine, mismatch.sample, mismatch.layer) for mismatch in found}
    return [mismatch for mismatch in more if (mismatch.engine, mismatch.sample, mismatch.layer) not in seen]


def _tensors(program: Program, engine: EngineName, golden: EngineRun, run: EngineRun) -> list[Mismatch]:
    found = []
    for sample in range(len(next(iter(golden.tensors.values())))):
        for layer in program.graph.layers:
            tensors = run.tensors.get(layer.output, ())
            if sample >= len(tensors):
                continue
            expected, got = golden.tensors[layer.output][sample], tensors[sample]
            if len(places := np.argwhere(expected != got)):
                index = tuple(int(i) for i in places[0])
                found.append(
                    Mismatch(
                        engine=engine.value,
                        sample=sample,
                        layer=layer.name,
                        tensor=layer.output,
                        index=index,
                        expected=int(expected[index]),
                        found=int(got[index]),
                        differing=len(places),
                    )
                )
    return found


def _checksums(
    program: Program,
    engine: EngineName,
    expected: Sequence[Sequence[int | None]],
    run: EngineRun,
) -> list[Mismatch]:
    outputs = {layer.name: layer.output for layer in program.graph.layers}
    found = []
    for sample, (wanted, got) in enumerate(zip(expected, run.checksums.tolist(), strict=True)):
        for layer, value, other in zip(
            program.layers, wanted, got, strict=False
        ):  # the last instruction has no checksum
            if value is not None and value != other:
                found.append(
                    Mismatch(
                        engine=engine.value,
                        sample=sample,
                        layer=layer,
                        tensor=outputs[layer],
                        index=None,
                        expected=value,
                        found=other,
                        differing=0,
                    )
                )
    return found
