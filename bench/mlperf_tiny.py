"""Scoreboard: the MLPerf Tiny models on the boards, with accuracy, cycles, routed clock and simulated latency.

    narrows board build ulx3s --json builds/ulx3s.json         # for each board, once: place and route
    python bench/mlperf_tiny.py --models models --data data --builds builds --html board.html --json board.json
    python bench/mlperf_tiny.py --board ulx3s --model resnet8 --rtl

A row is a model in one choice of formats on the core of a board, at that core's P and k; what does not fit is named
with its reason. Accuracy is the golden model's on integer codes, over all test samples where there are labels. Cycles
are the cycle model's, or with --rtl those counted by the Verilog for the first sample, which must agree. MHz are what
nextpnr reports for the routed board (--builds, JSON files of `narrows board build`); latency is cycles over the
board's clock, or over the routed one where that is slower: simulated, without the host's transfer, which stands beside
it for the board's serial link. Look-up tables are logic cells of the family: LUT4, not comparable with the LUT6 of the
published rows.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from models import CASES, SHARED, Samples
from narrows.boards.board import Board
from narrows.boards.catalogue import BOARDS
from narrows.hw.spec.registers import Region, region_stride
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import timeline
from narrows.sw.engines import EngineName, find_engine
from narrows.sw.errors import CapacityError, CertificateError, NarrowsError
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.report.page import scoreboard_page
from narrows.sw.results import write_json, write_text
from narrows.sw.runtime import prepare_input
from rich.console import Console
from rich.table import Table
from utilisation import float_weights

MODELS = {
    "resnet8": "resnet8_float.onnx",
    "dscnn": "dscnn_float.onnx",
    "mobilenetv1": "mobilenetv1_vww_float.onnx",
    "autoencoder": "autoencoder_ad_float.onnx",
}
TRAINED = {"resnet8": Path(__file__).parent / "quantisation" / "zoo" / "resnet8-dybit4-p16-k4.nrw"}
FORMATS = (("dybit4", "dybit4"), ("dybit4", "int8"), ("int8", "int8"))
_AT_ONCE = 250
_BITS_A_BYTE = 10  # on the serial line
CELLS = {
    "lut": ("TRELLIS_COMB", "ICESTORM_LC", "LUT4"),
    "dsp": ("MULT18X18D", "ICESTORM_DSP", "MULT9X9", "MULT18X18"),
    "bram": ("DP16KD", "ICESTORM_RAM", "BSRAM"),
}
PUBLISHED = (
    ("resnet8", "fpgaConvNet, ZC706", 0.147, 0.860, "108k LUT6", "525"),
    ("resnet8", "fpgaConvNet, ZedBoard", 0.411, 0.860, "47k LUT6", "211"),
    ("resnet8", "fpgaConvNet, ZyBo", 3.15, 0.855, "16k LUT6", "78"),
    ("resnet8", "FINN CNV-W1A1, Pynq-Z2", 1.51, 0.845, "", ""),
    ("resnet8", "hls4ml RN08, Pynq-Z2", 7.64, 0.835, "", ""),
    ("dscnn", "fpgaConvNet, ZedBoard", 0.324, 0.911, "37k LUT6", ""),
    ("dscnn", "fpgaConvNet, ZyBo", 2.15, 0.910, "15k LUT6", ""),
    ("dscnn", "CFU-Playground on Fomu (iCE40UP5K)", 2100.0, None, "5.2k LC", "8"),
    ("mobilenetv1", "fpgaConvNet, ZC706", 0.72, 0.852, "133k LUT6", ""),
    ("mobilenetv1", "fpgaConvNet, ZedBoard", 9.49, 0.848, "34k LUT6", ""),
)
"""MLPerf Tiny results v0.7 to v1.3 on FPGAs: model, entry, milliseconds, quality, cells, multipliers."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model on a board; ``problem`` says why there is nothing more."""

    board: str
    model: str
    formats: str
    acc_bits: int
    rescale_bits: int
    accuracy: float | None = None
    images: int = 0
    cycles: int | None = None
    rtl: bool = False
    fmax_mhz: float | None = None
    latency_ms: float | None = None
    transfer_ms: float | None = None
    lut: int | None = None
    dsp: int | None = None
    bram: int | None = None
    problem: str = ""


def main(
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = SHARED / "models",
    data: Annotated[Path, typer.Option(help="Folder of the data.")] = SHARED / "data",
    board: Annotated[list[str] | None, typer.Option(help="Only this board; repeat for more.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Only this model; repeat for more.")] = None,
    builds: Annotated[Path | None, typer.Option(help="Folder of NAME.json, as `board build --json` writes.")] = None,
    images: Annotated[int, typer.Option(help="Test samples.", min=1)] = 5000,
    rtl: Annotated[bool, typer.Option("--rtl", help="Count the cycles in co-simulation.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page.")] = None,
) -> None:
    """Measure and print the scoreboard."""
    rows = []
    for name in model or MODELS:
        graph = float_weights(lower(load_model(models / MODELS[name])))
        samples = next(case for case in CASES if case.model == name).samples(data)
        for place in board or BOARDS:
            for row in _rows(BOARDS[place], name, graph, samples, images, rtl):
                rows.append(_placed(row, BOARDS[place], builds))
                said = row.problem or f"{row.cycles:,} cycles, accuracy {row.accuracy or float('nan'):.2%}"
                Console(stderr=True).print(f"{place}, {name}, {row.formats}: {said}", highlight=False)
    _show(rows)
    results = {"rows": [asdict(row) for row in rows], "published": PUBLISHED}
    write_json(json_file, results["rows"])
    if html:
        write_text(html, scoreboard_page(results))


def _rows(board: Board, name: str, graph: Graph, samples: Samples, images: int, rtl: bool) -> Iterator[Row]:
    """One row for each choice of formats, the trained program's first."""
    config = dataclasses.replace(board.config, host="axi")  # the port changes no cycle
    trained = TRAINED.get(name)
    if trained is not None and trained.exists():
        yield _measured(board, name, "trained dybit4, dybit4", Program.load(trained).graph, samples, images, rtl)
    for weights, acts in FORMATS:
        formats = f"{weights}, {acts}"
        try:
            quantised = quantise(graph, samples.calibration, QuantSettings(weights=weights, acts=acts), config)
        except (CapacityError, CertificateError) as error:
            yield _row(board, name, formats, problem=str(error))
            continue
        yield _measured(board, name, formats, quantised, samples, images, rtl)


def _measured(
    board: Board, name: str, formats: str, graph: QuantisedGraph, samples: Samples, images: int, rtl: bool
) -> Row:
    config = dataclasses.replace(board.config, host="axi")
    try:
        program = compile_graph(graph, config)
    except NarrowsError as error:
        return _row(board, name, formats, problem=str(error))
    cycles = timeline(program).cycles
    x = samples.x[:images]
    if rtl:
        run = find_engine(EngineName.RTL).run(program, prepare_input(program.graph, x[:1]))
        if int(run.cycles[0]) != cycles:
            raise typer.BadParameter(f"the Verilog took {run.cycles[0]} cycles, the cycle model says {cycles}")
    accuracy = None
    if samples.labels is not None:
        golden, output, parts = GoldenModel(program.graph, config), program.graph.outputs[0].tensor, []
        for start in range(0, len(x), _AT_ONCE):
            scores = golden.run(prepare_input(program.graph, x[start : start + _AT_ONCE]))[output]
            parts.append(scores.reshape(len(scores), -1).argmax(axis=1))
        accuracy = float((np.concatenate(parts) == samples.labels[: len(x)]).mean())
    layout = program.layouts[program.graph.input.tensor]
    input_bytes = layout.addresses().size * region_stride(config, Region.ACTIVATIONS)
    return _row(
        board,
        name,
        formats,
        accuracy=accuracy,
        images=len(x) if accuracy is not None else 0,
        cycles=cycles,
        rtl=rtl,
        transfer_ms=1e3 * input_bytes * _BITS_A_BYTE / board.baud,
    )


def _row(board: Board, model: str, formats: str, **found: Any) -> Row:
    machine = board.config
    return Row(
        board=board.name,
        model=model,
        formats=formats,
        acc_bits=machine.acc_bits,
        rescale_bits=machine.rescale_bits,
        **found,
    )


def _placed(row: Row, board: Board, builds: Path | None) -> Row:
    """The row with what is known of the board's routed top, if that has the same core."""
    path = None if builds is None else builds / f"{board.name}.json"
    if path is None or not path.exists() or row.cycles is None:
        return row
    build = json.loads(path.read_text(encoding="utf-8"))
    if build["config"] != board.config.to_dict():
        raise typer.BadParameter(f"{path} is of another core: run narrows board build {board.name} --json {path}")
    used, clock = build["placement"]["used"], min(build["placement"]["fmax_mhz"], build["clock_mhz"])
    cells = {kind: sum(used.get(cell, 0) for cell in names) for kind, names in CELLS.items()}
    return dataclasses.replace(
        row, fmax_mhz=build["placement"]["fmax_mhz"], latency_ms=row.cycles / clock / 1e3, **cells
    )


def _show(rows: list[Row]) -> None:
    table = Table(title="MLPerf Tiny on boards")
    for title in ("board", "model", "formats", "P, k", "top-1", "cycles", "MHz", "ms", "LUT4", "DSP", "BRAM"):
        table.add_column(title, justify="left" if title in ("board", "model", "formats") else "right")
    for row in rows:
        widths = f"{row.acc_bits}, {row.rescale_bits}"
        if row.problem:
            table.add_row(row.board, row.model, row.formats, widths, "does not fit")
            continue
        table.add_row(
            row.board,
            row.model,
            row.formats,
            widths,
            *(
                "" if value is None else form.format(value)
                for form, value in (
                    ("{:.2%}", row.accuracy),
                    ("{:,}", row.cycles),
                    ("{:.1f}", row.fmax_mhz),
                    ("{:.3f}", row.latency_ms),
                    ("{:,}", row.lut),
                    ("{}", row.dsp),
                    ("{}", row.bram),
                )
            ),
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    typer.run(main)
