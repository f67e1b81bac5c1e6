"""The command demo: the whole path, from a float model to verified Verilog, on the built-in example."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ..engines import EngineName, Simulator
from ..errors import InputError
from ..results import write_json, write_text
from .options import JsonFile, SimulatorOption
from .output import TERMINAL, report_done, show_table

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the results go.")] = Path("build/demo"),
    images: Annotated[int, typer.Option("--images", min=1, metavar="N", help="Held-out images to run.")] = 450,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="rtl: the Verilog, simulated; isa: the model of the machine.")
    ] = EngineName.RTL,
    simulator: SimulatorOption = Simulator.VERILATOR,
    synthesis: Annotated[bool, typer.Option(help="Count the core's resources on an ECP5.")] = True,
    json: JsonFile = None,
) -> None:
    """Quantise, compile, simulate, verify and synthesise a built-in model: a residual CNN on handwritten digits.

    Leaves in the folder: the core (`core.v`), the program (`digits.nrw`), the results (`report.json`) and a page that
    shows them (`index.html`). The first run takes some minutes: it builds the simulator and Yosys.

    **Examples**

        narrows demo

        narrows demo --engine isa --no-synthesis
    """
    if engine is EngineName.GOLDEN:
        raise InputError("the demo compares a machine with the golden model: choose --engine rtl or isa")
    from ..api.demo import run_demo
    from ..report.page import demo_page

    started = time.perf_counter()
    outcome = run_demo(images=images, engine=engine, simulator=simulator, synthesis=synthesis, listener=TERMINAL)
    results = outcome.results | {"wall_seconds": time.perf_counter() - started}
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "core.v", outcome.verilog)
    outcome.program.save(out / "digits.nrw")
    write_text(out / "index.html", demo_page(results, outcome.figures))
    write_json(out / "report.json", results)
    write_json(json, results)
    _show(results)
    report_done(f"results: {out / 'index.html'}")
    if results["mismatches"]:
        raise typer.Exit(1)


def _show(results: dict[str, Any]) -> None:
    engine = results["engine"]
    rows = [
        ("accuracy, float model", f"{results['float_accuracy']:.2%}"),
        ("accuracy, golden model", f"{results['golden_accuracy']:.2%}"),
        (f"accuracy, {engine}", f"{results['machine_accuracy']:.2%}"),
        (f"tensors in which {engine} differs from golden", results["mismatches"]),
        ("clock cycles per image", f"{results['cycles_per_image']:,.0f}"),
        ("array utilisation", f"{results['utilisation']:.1%}"),
        ("accumulators, certified against overflow", f"{results['acc_bits']} bits"),
        ("rescaler multiplicands", f"{results['rescale_bits']} bits"),
    ]
    if resources := results["resources"]:
        total = resources["total"]
        rows += [
            (f"ECP5 {resources['lut_name']}, carry included", f"{total['lut_total']:,}"),
            ("ECP5 flip-flops", f"{total['ff']:,}"),
            ("ECP5 block RAMs", total["bram"]),
            ("ECP5 hard multipliers", total["dsp"]),
        ]
    if results["sim_cycles_per_second"]:
        rows.append(("simulated clock cycles per second", f"{results['sim_cycles_per_second']:,.0f}"))
    title = f"{results['images']} handwritten digits, {results['weights']} weights and {results['acts']} activations"
    show_table(title, ("", "value"), rows)
