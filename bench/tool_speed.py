"""How much processor time the tools take: engines, simulators, quantisation; each in a process of its own.

    python bench/tool_speed.py --json speed.json
    python bench/tool_speed.py --only golden --only isa             # rows whose names hold a text

Times are CPU seconds of a process and of all that it started, so a busy machine changes them little; rates are per CPU
second. The peak is that of the largest of its processes, in MB. ResNet-8 and CIFAR-10 are taken from --models and
--data; rows that need them are left out where they are missing. The other networks have made-up weights.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from made_models import mobilenet_v2
from models import BYTES, CONFIGS, NARROW, SHARED, pictures
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName, find_engine
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input
from numpy.typing import NDArray
from rich.console import Console

_NARROWS = "from narrows.sw.cli import main; main()"
_CONFIGS = {"dybit4": NARROW, "int8": BYTES}
_W4A4 = QuantSettings(weights="dybit4", acts="dybit4")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where models and data are, and a folder for what rows make."""

    models: Path
    data: Path
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured: CPU seconds, or how much of ``unit`` a CPU second gives; and the largest process's memory."""

    what: str
    cpu_s: float | None = None
    per_cpu_s: float | None = None
    unit: str = ""
    peak_mb: float = 0.0


def _cpu() -> float:
    """CPU seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = _cpu()
    result = function()
    return _cpu() - start, result


def _resnet8(place: Place, formats: str, count: int) -> tuple[Program, NDArray[np.int64]]:
    config, samples = CONFIGS[_CONFIGS[formats]], pictures(place.data)
    path = place.folder / f"resnet8_{formats}.nrw"
    if not path.exists():
        settings = QuantSettings(weights=formats, acts=formats)
        graph = quantise(load_model(place.models / "resnet8_float.onnx"), samples.calibration, settings, config)
        compile_graph(graph, config).save(path)
    program = Program.load(path)
    return program, prepare_input(program.graph, samples.x[:count])


def _engine(place: Place, name: EngineName, formats: str, count: int) -> dict[str, Any]:
    engine, (program, levels) = find_engine(name), _resnet8(place, formats, count)
    engine.run(program, levels[:1])
    seconds, _ = _timed(lambda: engine.run(program, levels))
    return {"per_cpu_s": count / seconds, "unit": "images"}


def _demo(place: Place) -> tuple[Program, NDArray[np.int64], Path, Path]:
    """Program of the demo and input levels; its file, and one of eight images."""
    config, data = PRESETS["demo"], digits()
    with digits_model() as model:
        graph = quantise(load_model(model), data.calib_x, _W4A4, config)
    program, path, images = compile_graph(graph, config), place.folder / "demo.nrw", place.folder / "digits.npz"
    program.save(path)
    np.savez(images, x=data.test_x[:8])
    return program, prepare_input(graph, data.test_x), path, images


def run_rtl(place: Place) -> dict[str, Any]:
    """The command `narrows run --engine rtl` on eight digits, its simulator built before."""
    *_, path, images = _demo(place)
    command = [sys.executable, "-c", _NARROWS, "run", str(path), "--input", str(images), "--engine", "rtl"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPYCACHEPREFIX"] = str(place.folder / "bytecode")  # an installation has it
    for _ in range(2):
        seconds, _ = _timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=kept))
    return {"cpu_s": seconds}


def cycles(place: Place) -> dict[str, Any]:
    """Simulated cycles of the demo's core, without the simulator's start."""
    program, levels, *_ = _demo(place)
    find_engine(EngineName.RTL).run(program, levels[:1])
    few, first = _timed(lambda: find_engine(EngineName.RTL).run(program, levels[:10]))
    many, last = _timed(lambda: find_engine(EngineName.RTL).run(program, levels[:410]))
    return {"per_cpu_s": (last.sim_cycles - first.sim_cycles) / (many - few), "unit": "cycles"}


def simulator(place: Place, *, first: bool) -> dict[str, Any]:
    """A simulator of the demo's core, built and run on one digit: the first of all, or one after another was built."""
    program, levels, *_ = _demo(place)
    find_engine(EngineName.RTL).run(program, levels[:1])
    warm, _ = _timed(lambda: find_engine(EngineName.RTL).run(program, levels[:1]))
    cache = place.folder / f"cache{first}"
    os.environ["NARROWS_CACHE"] = str(cache)
    if not first:
        find_engine(EngineName.RTL).run(program, levels[:1])
        shutil.rmtree(cache / "simulators")
    cold, _ = _timed(lambda: find_engine(EngineName.RTL).run(program, levels[:1]))
    return {"cpu_s": cold - warm}


def quantise_resnet8(place: Place) -> dict[str, Any]:
    """`quantise` of ResNet-8 with 128 samples."""
    model, samples = load_model(place.models / "resnet8_float.onnx"), pictures(place.data).calibration
    return {"cpu_s": _timed(lambda: quantise(model, samples, _W4A4, CONFIGS[NARROW]))[0]}


def _made(place: Place, make: Callable[..., Path], size: int, count: int, config: AcceleratorConfig) -> dict[str, Any]:
    model = load_model(make(place.folder / f"{make.__name__}.onnx", size))
    samples = np.random.default_rng(0).uniform(0, 1, (count, 3, size, size)).astype(np.float32)
    return {"cpu_s": _timed(lambda: compile_graph(quantise(model, samples, _W4A4, config), config))[0]}


def quantise_mobilenet(place: Place) -> dict[str, Any]:
    """`quantise` of MobileNetV2 at 96 pixels with 64 samples."""
    model = load_model(mobilenet_v2(place.folder / "mobilenet.onnx", 96))
    samples = np.random.default_rng(0).uniform(0, 1, (64, 3, 96, 96)).astype(np.float32)
    return {"cpu_s": _timed(lambda: quantise(model, samples, _W4A4, CONFIGS[BYTES]))[0]}


ROWS: dict[str, Callable[[Place], dict[str, Any]]] = {
    "golden model, ResNet-8, W4A4": lambda place: _engine(place, EngineName.GOLDEN, "dybit4", 1000),
    "golden model, ResNet-8, W8A8": lambda place: _engine(place, EngineName.GOLDEN, "int8", 1000),
    "ISA model, ResNet-8, W4A4": lambda place: _engine(place, EngineName.ISA, "dybit4", 200),
    "ISA model, ResNet-8, W8A8": lambda place: _engine(place, EngineName.ISA, "int8", 50),
    "run --engine rtl, 8 digits, simulator kept": run_rtl,
    "simulated cycles, demo core": cycles,
    "simulator build, demo core, the first": lambda place: simulator(place, first=True),
    "simulator build, demo core, another": lambda place: simulator(place, first=False),
    "quantise ResNet-8, 128 samples": quantise_resnet8,
    "quantise MobileNetV2, 96 pixels, 64 samples": quantise_mobilenet,
}


def _measure(what: str, place: Place) -> Row:
    found = ROWS[what](place)
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return Row(what=what, peak_mb=max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024, **found)


def main(
    only: Annotated[list[str] | None, typer.Option(help="Rows whose names hold this text.")] = None,
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = SHARED / "models",
    data: Annotated[Path, typer.Option(help="Folder of the data.")] = SHARED / "data",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Time the tools and print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Place(models=models, data=data, folder=Path(folder))
        for what in ROWS:
            if only and not any(text in what for text in only):
                continue
            if "ResNet-8" in what and not (models / "resnet8_float.onnx").exists():
                continue
            with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
                rows.append(pool.submit(_measure, what, place).result())
            Console().print(_line(rows[-1]), highlight=False)
    write_json(json_file, [asdict(row) for row in rows])


def _line(row: Row) -> str:
    said = f"{row.cpu_s:.2f} CPU s" if row.per_cpu_s is None else f"{row.per_cpu_s:,.1f} {row.unit} per CPU s"
    return f"{row.what}: {said}, {row.peak_mb:,.0f} MB"


if __name__ == "__main__":
    typer.run(main)
