"""From a sample's bytes to its answer over a board's link: how much of that time is the network's.

    python bench/end_to_end.py --models ../shared/models --data ../shared/data --json end_to_end.json
    python bench/end_to_end.py --board ulx3s --model digits --at-speed

Simulates a board's own core at the pins of its UART (``sim/cosim/bench_uart.v``; the host answers at once, so no
operating system is in the figures) and feeds it samples in a row through the ordinary driver, each while the one before
runs. Every output is compared with the golden model's. Rows hold ``bytes_per_sample`` (to the core) and
``reply_bytes``; ``line_cycles`` are those in which a byte is on its way, ``other_cycles`` the rest of a sample's time.

The simulated bit takes 4 cycles, so that programs are loaded within minutes. What a bit of the board's own speed makes
of it is ``10 * bytes * divisor + other_cycles``: an upper bound, since a slower line hides more of the run behind the
next frame. ``--at-speed`` simulates the board's own bit instead, to see how near that is.

``answers_per_second`` are at the board's stated clock; ``compute_share`` is the run's own share of that time. What
layout the host made before there were frames is in ``words_bytes``: bytes of the same sample as activation words.
"""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from models import SHARED
from narrows.boards.board import Board
from narrows.boards.catalogue import find_board
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Region, region_stride
from narrows.hw.verilog import to_verilog
from narrows.sim.cosim.job import Job, Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.cli.output import progress_bar
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import Driver, prepare_input
from narrows.sw.runtime.serial_line import SerialLine
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

MODELS = ("digits", "dscnn", "resnet8")
TRAINED = Path(__file__).parent / "quantisation" / "zoo" / "resnet8-dybit4-p16-k4.nrw"
_DIVISOR, _BITS_A_BYTE = 4, 10


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model on a board, over its UART."""

    board: str
    model: str
    link: str
    baud: int
    clock_mhz: float
    samples: int
    mismatches: int
    bytes_per_sample: float
    reply_bytes: float
    words_bytes: int
    compute_ms: float
    line_cycles: float
    other_cycles: float
    answers_per_second: float
    compute_share: float
    at_speed: bool


class CountedLine(SerialLine):
    """A line, and the bytes that went over it."""

    def __init__(self, line: SerialLine) -> None:
        self._line, self.sent, self.received = line, 0, 0

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self.sent += len(data)
        await self._line.write(data)

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Receive bytes."""
        data = await self._line.read(count, timeout_bits)
        self.received += len(data)
        return data


async def in_a_row(transport: Any, job: Job, progress: Progress) -> Any:
    """The job inside the simulator: answers, then cycles and bytes when each was there."""
    program, samples = Program.load(job.folder / "program.nrw"), job.arrays["levels"]
    transport.line = line = CountedLine(transport.line)
    driver = Driver(transport, program.config)
    await driver.load(program)
    answers, marks = [], []
    for number, levels in enumerate(samples):
        following = samples[number + 1] if number + 1 < len(samples) else None
        answers.append(await driver.answer(levels, following=following))
        marks.append([transport.cycles, line.sent, line.received])
        progress(number + 1, len(samples))
    run = (await driver.infer(samples[-1])).cycles
    outputs = {name: np.array([answer[name] for answer in answers]) for name in answers[0]}
    return outputs | {"marks": np.array(marks, dtype=np.int64)}, {"run": run}


def main(
    boards: Annotated[list[str] | None, typer.Option("--board", help="A board; again for more.")] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", help=f"Of {', '.join(MODELS)}; again for more.")
    ] = None,
    folder: Annotated[Path, typer.Option("--models", help="Where the float ONNX models are.")] = SHARED / "models",
    data: Annotated[Path, typer.Option("--data", help="Where samples are.")] = SHARED / "data",
    samples: Annotated[int, typer.Option("--samples", min=3, help="Samples in a row.")] = 5,
    at_speed: Annotated[bool, typer.Option("--at-speed", help="Simulate the board's own bit.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure boards; status 1 if an answer is not the golden model's."""
    rows = []
    for name in boards or ["icebreaker", "ulx3s"]:
        for model in models or MODELS:
            rows.append(_measured(find_board(name), model, folder, data, samples, at_speed))
            write_json(json, [asdict(row) for row in rows])
    _show(rows)
    if any(row.mismatches for row in rows):
        raise typer.Exit(1)


def _measured(board: Board, model: str, folder: Path, data: Path, count: int, at_speed: bool) -> Row:
    divisor = board.config.uart_divisor if at_speed else _DIVISOR
    config = dataclasses.replace(board.config, host="uart", uart_divisor=divisor)
    program, x = _case(model, config, folder, data)
    levels = prepare_input(program.graph, x[:count])
    with progress_bar(f"{model} on {board.title}") as progress:
        result = simulate(
            to_verilog(config),
            f"{Path(__file__).stem}:in_a_row",
            arrays={"levels": levels},
            files=lambda place: program.save(place / "program.nrw"),
            progress=progress,
        )
    golden = GoldenModel(program.graph, config).run(levels)
    wrong = sum(int((result.arrays[name] != golden[name]).sum()) for name in program.graph.output_tensors)
    cycles, sent, received = np.diff(result.arrays["marks"], axis=0)[:-1].mean(axis=0)  # the last one sends no frame
    line = (sent + received) * _BITS_A_BYTE
    total = cycles + line * (board.config.uart_divisor - divisor)
    layout, run = program.layouts[program.graph.input.tensor], result.values["run"]
    return Row(
        board=board.name,
        model=model,
        link="uart",
        baud=board.baud,
        clock_mhz=board.clock_mhz,
        samples=count,
        mismatches=wrong,
        bytes_per_sample=float(sent),
        reply_bytes=float(received),
        words_bytes=layout.addresses().size * region_stride(config, Region.ACTIVATIONS),
        compute_ms=run / board.clock_mhz / 1e3,
        line_cycles=float(line * board.config.uart_divisor),
        other_cycles=float(cycles - line * divisor),
        answers_per_second=board.clock_mhz * 1e6 / total,
        compute_share=run / total,
        at_speed=at_speed,
    )


def _case(model: str, config: AcceleratorConfig, folder: Path, data: Path) -> tuple[Program, NDArray[Any]]:
    """Program and samples of a model."""
    if model == "digits":
        images = digits()
        with digits_model() as path:
            return _compiled(path, images.calib_x[:64], config), images.test_x
    if model == "dscnn":
        stored = np.load(data / "kws_first500.npz")["x_int8"]
        features = ((stored.astype(np.float32) - 83) * 0.5847029).reshape(-1, 49, 10, 1)
        return _compiled(folder / "dscnn_float.onnx", features[:100], config), features[100:]
    if model != "resnet8":
        raise typer.BadParameter(f"there is no model {model!r}: {', '.join(MODELS)}")
    graph: QuantisedGraph = Program.load(TRAINED).graph
    return compile_graph(graph, config), np.load(data / "cifar10_test_first5000.npz")["x"].astype(np.float32)


def _compiled(model: Path, calibration: NDArray[Any], config: AcceleratorConfig) -> Program:
    settings = QuantSettings(weights=config.weight_format, acts=config.act_format)
    return compile_graph(quantise(lower(load_model(model)), calibration, settings, config), config)


def _show(rows: list[Row]) -> None:
    table = Table(title="From bytes to answers")
    for title in ("board", "model", "MBaud", "bytes", "as words", "compute ms", "answers/s", "compute", "wrong"):
        table.add_column(title, justify="left" if title in ("board", "model") else "right")
    for row in rows:
        table.add_row(
            row.board,
            row.model,
            f"{row.baud / 1e6:g}",
            f"{row.bytes_per_sample:,.0f} + {row.reply_bytes:,.0f}",
            f"{row.words_bytes:,}",
            f"{row.compute_ms:.3f}",
            f"{row.answers_per_second:,.1f}",
            f"{row.compute_share:.1%}",
            str(row.mismatches),
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
