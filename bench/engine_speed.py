"""How fast each engine answers: images a second of golden model and instruction-set model, seconds of the Verilog.

    python bench/engine_speed.py                               # ResNet-8, W4A4, 256 MACs
    python bench/engine_speed.py --model dscnn --rtl 10 --json speed.json

The model is the first case of that name with 4-bit formats in `bench/models.py`, or else the first. The Verilog's time
is without the simulator's build; a round before the one that is timed fills caches.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from models import CASES, CONFIGS, SHARED
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName, find_engine
from narrows.sw.frontend import load_model
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input
from rich.console import Console


def main(
    model: Annotated[str, typer.Option(help="A model of bench/models.py.")] = "resnet8",
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = SHARED / "models",
    data: Annotated[Path, typer.Option(help="Folder of the data.")] = SHARED / "data",
    golden: Annotated[int, typer.Option(help="Images for the golden model.", min=1)] = 500,
    isa: Annotated[int, typer.Option(help="Images for the instruction-set model.", min=1)] = 50,
    rtl: Annotated[int, typer.Option(help="Images for the Verilog.", min=0)] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
) -> None:
    """Time the engines and print what they did."""
    cases = [case for case in CASES if case.model == model]
    if not cases:
        raise typer.BadParameter(f"no model {model}: use one of {', '.join(sorted({case.model for case in CASES}))}")
    case = next((case for case in cases if case.weights == "dybit4"), cases[0])
    config, samples = CONFIGS[case.config], case.samples(data)
    settings = QuantSettings(weights=case.weights, acts=case.acts) if case.weights else QuantSettings()
    program = compile_graph(quantise(load_model(models / case.file), samples.calibration, settings, config), config)
    levels = prepare_input(program.graph, samples.x[: max(golden, isa, rtl)])
    figures: dict[str, float | str] = {"model": case.file, "config": case.config}
    for engine, count in ((EngineName.GOLDEN, golden), (EngineName.ISA, isa), (EngineName.RTL, rtl)):
        if not count:
            continue
        if engine is not EngineName.RTL:
            find_engine(engine).run(program, levels[:1])
        start = time.perf_counter()
        run = find_engine(engine).run(program, levels[:count])
        seconds = run.wall_seconds or time.perf_counter() - start
        figures |= {f"{engine}_images": count, f"{engine}_per_second": count / seconds}
        said = f"{engine}: {count} images, {count / seconds:.1f} a second, {seconds / count:.3f} s each"
        Console().print(said, highlight=False)
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
