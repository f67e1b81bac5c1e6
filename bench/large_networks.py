"""What quantising and compiling large networks takes: CPU seconds of each step and memory, in processes of their own.

    python bench/large_networks.py --json large.json
    python bench/large_networks.py --only mobilenet_v2 --pixels 96 --samples 16

Networks have made-up weights, and samples are noise, for a core of 1,024 units with a backing store. Linear algebra has
as many threads as ``--threads`` says: CPU seconds of one thread are those that a busy machine changes least. ``mlp`` is
no network of images: it has 42 M weights, and its program also runs on the model of the machine.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from made_models import mlp, mobilenet_v2, resnet18
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import timeline
from narrows.sw.engines import EngineName, find_engine
from narrows.sw.frontend import load_model
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input
from rich.console import Console

CONFIG = AcceleratorConfig(
    rows=4, columns=16, lanes=16, rescalers=8, acc_bits=28, bias_bits=30, act_words=16384, weight_words=8192,
    param_words=1024, taps=1024, blocks=1024, instructions=1024, backing="axi4", bus_bits=64
)  # fmt: skip
_SETTINGS = QuantSettings(weights="dybit4", acts="dybit4")
_WIDTHS = (3072, 4096, 4096, 3072, 10)
NETWORKS = {"mobilenet_v2": mobilenet_v2, "resnet18": resnet18, "mlp": None}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network: CPU seconds of each step, the process's largest memory, its program's bytes, and what that takes.

    ``program_bytes`` are those of the window on the backing store. ``mismatches`` is how many outputs the model of the
    machine has that are not the golden model's; None: it did not run.
    """

    model: str
    pixels: int
    samples: int
    weights: int
    load_s: float
    quantise_s: float
    compile_s: float
    run_s: float | None
    peak_mb: float
    program_bytes: int
    instructions: int
    cycles: int
    mismatches: int | None


def _cpu() -> float:
    return sum(os.times()[:4])


def measure(name: str, pixels: int, samples: int, folder: Path, run: bool) -> Row:
    """One network, in a process of its own."""
    moments = [_cpu()]
    make = NETWORKS[name]
    path = make(folder / f"{name}.onnx", pixels) if make else mlp(folder / f"{name}.onnx", _WIDTHS)
    model = load_model(path)
    moments.append(_cpu())
    x = np.random.default_rng(0).uniform(0, 1, (samples, *model.input.shape)).astype(np.float32)
    graph = quantise(model, x, _SETTINGS, CONFIG)
    moments.append(_cpu())
    program = compile_graph(graph, CONFIG)
    moments.append(_cpu())
    mismatches = None
    if run:
        levels = prepare_input(program.graph, x[:1])
        golden, isa = (find_engine(engine).run(program, levels) for engine in (EngineName.GOLDEN, EngineName.ISA))
        mismatches = sum(int((golden.outputs[key] != isa.outputs[key]).sum()) for key in golden.outputs)
        moments.append(_cpu())
    load_s, quantise_s, compile_s, *rest = np.diff(moments).tolist()
    return Row(
        model=name,
        pixels=pixels if make else 0,
        samples=samples,
        weights=sum(segment.weights.size for layer in graph.layers for segment in getattr(layer, "segments", ())),
        load_s=load_s,
        quantise_s=quantise_s,
        compile_s=compile_s,
        run_s=rest[0] if rest else None,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        program_bytes=program.window_bytes,
        instructions=len(program.instructions),
        cycles=timeline(program).cycles,
        mismatches=mismatches,
    )


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only this network; repeat for more.")] = None,
    pixels: Annotated[int, typer.Option(min=32, help="Lines and columns of an image.")] = 224,
    samples: Annotated[int, typer.Option(min=1, help="For calibration.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="Of linear algebra.")] = 1,
    run: Annotated[bool, typer.Option("--run", help="Run all programs on the model of the machine.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure and print the rows."""
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)  # read when the process of a row loads the library
    rows = []
    for name in only or NETWORKS:
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool,
        ):
            rows.append(pool.submit(measure, name, pixels, samples, Path(folder), run or name == "mlp").result())
        Console().print(_line(rows[-1]), highlight=False)
        write_json(json_file, [asdict(row) for row in rows])


def _line(row: Row) -> str:
    ran = "" if row.run_s is None else f", run {row.run_s:.1f} ({row.mismatches} outputs differ)"
    return (
        f"{row.model}, {row.pixels} pixels, {row.samples} samples, {row.weights:,} weights: CPU s: "
        f"load {row.load_s:.1f}, quantise {row.quantise_s:.1f}, compile {row.compile_s:.1f}{ran}; "
        f"{row.peak_mb:,.0f} MB; {row.program_bytes:,} bytes, {row.instructions} instructions, {row.cycles:,} cycles"
    )


if __name__ == "__main__":
    typer.run(main)
