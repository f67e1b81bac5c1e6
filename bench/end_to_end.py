"""From a sample's bytes to its answer over a board's link: how much of that time is the network's.

    python bench/end_to_end.py --models ../shared/models --data ../shared/data --json end_to_end.json
    python bench/end_to_end.py --board ulx3s --model digits --at-speed
    python bench/end_to_end.py --board orangecrab --model resnet8 --link usb

Feeds a board's own core samples in a row through the ordinary driver, each while the one before runs, and compares
every output with the golden model's. Rows hold ``bytes_per_sample`` (to the core) and ``reply_bytes``. No operating
system is in the figures.

On the **UART** the core is simulated at its pins (``sim/cosim/bench_uart.v``; the host answers at once).
``line_cycles`` are those in which a byte is on its way, ``other_cycles`` the rest of a sample's time. The simulated bit
takes 4 cycles, so that programs are loaded within minutes; a sample is reckoned with the board's bit (`at_bit`): longer
bytes, and fewer polls, as the next frame takes more of the run's time. ``--at-speed`` simulates the board's own bit
instead, to see how near that is.

Over **USB** the whole virtual board is simulated, host at D+ and D-, with bits of 8 cycles: a core of 96 MHz, whatever
the board's clock. Simulated time goes on while this process thinks, so that the quickest sample counts, and frames are
shorter than USB's 1 ms: answers a second are a lower bound for hosts that do not pause.

``answers_per_second`` are at the board's stated clock; ``compute_share`` is the run's own share of that time. What
layout the host made before there were frames is in ``words_bytes``: bytes of the same sample as activation words.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from models import SHARED
from narrows.boards.board import Board
from narrows.boards.catalogue import find_board
from narrows.boards.simulation import USB_DIVISOR, virtual_board
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.link import CRC_BYTES, HEADER_BYTES
from narrows.hw.spec.registers import Control, Region, Register, region_stride
from narrows.sim.cosim.inference import Progress
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
from narrows.sw.runtime import Driver, prepare_input, run_sync
from narrows.sw.runtime.serial_line import SerialLine, open_port
from narrows.sw.runtime.serial_transport import SerialTransport
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

MODELS = ("digits", "dscnn", "resnet8")
TRAINED = Path(__file__).parent / "quantisation" / "zoo" / "resnet8-dybit4-p16-k4.nrw"
_DIVISOR, _BITS_A_BYTE = 4, 10
_REQUEST_BYTES = 1 + HEADER_BYTES + CRC_BYTES  # without words
_USB_HZ = USB_DIVISOR * 12e6
_BELIEVED_BAUD = 1200  # timeouts that suit a large core's simulation


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model on a board, over one of its links."""

    board: str
    model: str
    link: str
    bits_per_second: int
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
        self.holds_back = line.holds_back

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self.sent += len(data)
        await self._line.write(data)

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Receive bytes."""
        data = await self._line.read(count, timeout_bits)
        self.received += len(data)
        return data


class Watched:
    """A transport that notes cycles and bytes when a run was started, when it is waited for, and when it is over."""

    def __init__(self, transport: Any, line: CountedLine, cycles: Callable[[], int]) -> None:
        self._transport, self._line, self._cycles = transport, line, cycles
        self.marks: list[tuple[int, int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def note(self) -> None:
        """A mark."""
        self.marks.append((self._cycles(), self._line.sent, self._line.received))

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words."""
        await self._transport.write(address, values)
        if address == Register.CONTROL.offset and values[0] & Control.START:
            self.note()

    async def wait(self, timeout_cycles: int) -> int | None:
        """Wait for the end of a run."""
        self.note()
        status = await self._transport.wait(timeout_cycles)
        self.note()
        return status


async def answers(watched: Watched, program: Program, samples: NDArray[np.int64], progress: Progress) -> Any:
    """Outputs of samples in a row, and ``marks`` of shape (samples, 4, 3): cycles, bytes sent and received when each
    was started, waited for, done and answered; and ``run``, the cycles of one."""
    driver: Any = Driver(watched, program.config)  # type: ignore[arg-type]
    await driver.load(program)
    found = []
    for number, levels in enumerate(samples):
        following = samples[number + 1] if number + 1 < len(samples) else None
        found.append(await driver.answer(levels, following=following))
        watched.note()
        progress(number + 1, len(samples))
    marks = np.array(watched.marks, dtype=np.int64).reshape(len(samples), 4, 3)
    run = (await driver.infer(samples[-1])).cycles
    outputs = {name: np.array([answer[name] for answer in found]) for name in found[0]}
    return outputs | {"marks": marks}, {"run": run}


def spans(marks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cycles, bytes sent and received of samples that have one before and one behind, shape (samples - 2, 4, 3): up to
    the start, the following frame, the wait for the end, the answer."""
    ends = marks.reshape(-1, 3)
    return np.diff(ends, axis=0, prepend=ends[:1]).reshape(marks.shape)[1:-1]


def at_bit(parts: NDArray[np.float64], divisor: int, slower: int) -> NDArray[np.float64]:
    """Cycles, bytes sent and received of a sample with bits of ``slower`` cycles, of those with bits of ``divisor``.

    Parts are `spans` of one sample. What is not a byte on its way takes as many cycles as before. The run is over when
    the last poll said so, as many cycles behind its start as before, and is polled until then: at most once too often.
    """
    line = parts[:, 1:].sum(axis=1) * _BITS_A_BYTE
    took = parts[:, 0] + line * (slower - divisor)
    polls = parts[2, 1] / _REQUEST_BYTES
    poll = took[2] / polls
    needed = max(1, math.ceil((parts[1, 0] + parts[2, 0] - took[1]) / poll))
    fewer = parts.copy()
    fewer[:, 0] = took
    fewer[2] *= needed / polls
    return fewer.sum(axis=0)


def main(
    boards: Annotated[list[str] | None, typer.Option("--board", help="A board; again for more.")] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", help=f"Of {', '.join(MODELS)}; again for more.")
    ] = None,
    folder: Annotated[Path, typer.Option("--models", help="Where the float ONNX models are.")] = SHARED / "models",
    data: Annotated[Path, typer.Option("--data", help="Where samples are.")] = SHARED / "data",
    samples: Annotated[int, typer.Option("--samples", min=3, help="Samples in a row.")] = 5,
    link: Annotated[str, typer.Option("--link", help="uart or usb.")] = "uart",
    at_speed: Annotated[bool, typer.Option("--at-speed", help="Simulate the board's own bit on a UART.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure boards; status 1 if an answer is not the golden model's."""
    if link not in ("uart", "usb"):
        raise typer.BadParameter(f"link is uart or usb, not {link!r}")
    rows = []
    for name in boards or ["icebreaker", "ulx3s"]:
        board = find_board(name).over(link)
        for model in models or MODELS:
            rows.append(_measured(board, model, folder, data, samples, at_speed))
            write_json(json, [asdict(row) for row in rows])
    _show(rows)
    if any(row.mismatches for row in rows):
        raise typer.Exit(1)


def _measured(board: Board, model: str, folder: Path, data: Path, count: int, at_speed: bool) -> Row:
    usb = board.link == "usb"
    own = board.config.uart_divisor
    divisor = own if at_speed and not usb else _DIVISOR
    config = dataclasses.replace(board.config, uart_divisor=divisor)
    program, x = _case(model, config, folder, data)
    levels = prepare_input(program.graph, x[:count])
    with progress_bar(f"{model} on {board.title}") as progress:
        arrays, values = (_over_usb if usb else _over_uart)(board, program, levels, progress)
    golden = GoldenModel(program.graph, config).run(levels)
    wrong = sum(int((arrays[name] != golden[name]).sum()) for name in program.graph.output_tensors)
    parts = spans(arrays["marks"]).astype(np.float64)
    if usb:
        cycles, sent, received = min(parts.sum(axis=1), key=lambda sample: sample[0])
    else:
        cycles, sent, received = np.mean([at_bit(sample, divisor, own) for sample in parts], axis=0)
    seconds = cycles / (_USB_HZ if usb else board.clock_mhz * 1e6)
    line = (sent + received) * (8 * USB_DIVISOR if usb else _BITS_A_BYTE * own)
    compute = values["run"] / board.clock_mhz / 1e3
    return Row(
        board=board.name,
        model=model,
        link=board.link,
        bits_per_second=12_000_000 if usb else board.baud,
        clock_mhz=board.clock_mhz,
        samples=count,
        mismatches=wrong,
        bytes_per_sample=float(sent),
        reply_bytes=float(received),
        words_bytes=program.layouts[program.graph.input.tensor].addresses().size
        * region_stride(config, Region.ACTIVATIONS),
        compute_ms=compute,
        line_cycles=float(line),
        other_cycles=float(cycles - line),
        answers_per_second=1 / seconds,
        compute_share=compute / 1e3 / seconds,
        at_speed=at_speed or usb,
    )


def _over_uart(board: Board, program: Program, levels: NDArray[np.int64], progress: Progress) -> tuple[Any, Any]:
    async def in_a_row(transport: Any) -> Any:
        transport.line = line = CountedLine(transport.line)
        return await answers(Watched(transport, line, lambda: transport.cycles), program, levels, progress)

    return simulate(CoreVerilog(program.config), in_a_row).result


def _over_usb(board: Board, program: Program, levels: NDArray[np.int64], progress: Progress) -> tuple[Any, Any]:
    with virtual_board(board, divisor=program.config.uart_divisor) as virtual:
        line = CountedLine(open_port(str(virtual.port), baud=_BELIEVED_BAUD, holds_back=True))
        transport = run_sync(SerialTransport.open(line))
        return run_sync(answers(Watched(transport, line, virtual.cycles), program, levels, progress))


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
    for title in ("board", "model", "Mbit/s", "bytes", "as words", "compute ms", "answers/s", "compute", "wrong"):
        table.add_column(title, justify="left" if title in ("board", "model") else "right")
    for row in rows:
        table.add_row(
            row.board,
            row.model,
            f"{row.link} {row.bits_per_second / 1e6:g}",
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
