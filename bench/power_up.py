"""From power-up to the first answer of a board that is alone, its program in the flash behind the bitstream.

    python bench/power_up.py --json power_up.json
    python bench/power_up.py --board icebreaker --program model.nrw

Simulates a board's own core with its flash at the pins (``sim/flash/chip.v``) and its UART at the board's own speed. A
host waits for the boot, sends a sample and reads its answer, which must be the golden model's. Rows hold
``image_bytes`` and ``boot_cycles``, from reset to the end of the boot as a register tells it;
``first_answer_ms`` is from the FPGA's reset to the whole answer at the host, at the board's clock.

Before that the FPGA reads its bitstream: ``configuration_ms`` is reckoned, not simulated, from ``bitstream_bytes`` (of
``--bitstream``, or of `narrows board build NAME --alone`) and the board's nominal rate, and is not in
``first_answer_ms``; ``power_up_ms`` is their sum with the board's reset of 4,096 cycles.
"""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from narrows.boards.board import Board, BoardError
from narrows.boards.catalogue import find_board
from narrows.boards.plan import bitstream_name
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.boot import BootState
from narrows.hw.spec.registers import Register
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.program import Program
from narrows.sw.results import write_json
from narrows.sw.runtime import Driver
from narrows.sw.runtime.boot import boot_image
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

TRAINED = Path(__file__).parent / "quantisation" / "zoo" / "resnet8-dybit4-p16-k4.nrw"
_RESET_CYCLES = 4096
_SEED = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """A program on a board that is alone."""

    board: str
    model: str
    clock_mhz: float
    image_bytes: int
    boot_cycles: int
    boot_ms: float
    first_answer_ms: float
    run_cycles: int
    mismatches: int
    bitstream_bytes: int | None
    configuration_ms: float | None
    power_up_ms: float | None


class Powered(NamedTuple):
    """Outputs; how the boot ended, cycles at which it was over and the answer there, and those of a run."""

    outputs: dict[str, NDArray[np.int64]]
    boot: int
    booted: int
    answered: int
    run: int


async def powered(transport: Any, program: Program, levels: NDArray[np.int64]) -> Powered:
    """Watch a core boot and answer."""
    while (boot := int((await transport.read(Register.BOOT.offset, 1))[0]) & 0xFF) == BootState.BOOTING:
        pass
    booted = transport.cycles
    driver = Driver(transport, program.config)
    await driver.attach(program)
    outputs = await driver.answer(levels)
    answered = transport.cycles
    return Powered(outputs, boot, booted, answered, (await driver.infer(levels)).cycles)


def main(
    boards: Annotated[list[str] | None, typer.Option("--board", help="A board; again for more.")] = None,
    program: Annotated[Path, typer.Option("--program", help="Whose graph is compiled for the board's core.")] = TRAINED,
    bitstream: Annotated[Path | None, typer.Option("--bitstream", help="Of the board that is alone.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure boards; status 1 if an answer is not the golden model's."""
    rows = []
    for name in boards or ["ulx3s"]:
        built = bitstream or Path("build") / "boards" / name / bitstream_name(find_board(name))
        rows.append(_measured(dataclasses.replace(find_board(name), alone=True), program, built))
        write_json(json, [asdict(row) for row in rows])
    _show(rows)
    if any(row.mismatches for row in rows):
        raise typer.Exit(1)


def _measured(board: Board, path: Path, bitstream: Path) -> Row:
    config, flash = board.config, board.boot_flash
    if flash is None:
        raise BoardError(f"{board.title} has no flash that its core could load a program from")
    program = compile_graph(Program.load(path).graph, config)
    tensor = program.graph.tensors[program.graph.input.tensor]
    levels = np.random.default_rng(_SEED).choice(tensor.format.levels, tensor.shape)
    image = boot_image(program, config)
    found = simulate(
        CoreVerilog(config),
        lambda transport: powered(transport, program, levels),
        flash=image,
        flash_offset=config.flash_offset,
    ).result
    golden = GoldenModel(program.graph, config).run(levels[np.newaxis])
    wrong = sum(int((found.outputs[name] != golden[name][0]).sum()) for name in program.graph.output_tensors)
    size = bitstream.stat().st_size if bitstream.exists() else None
    answered = found.answered / board.clock_mhz / 1e3
    configuration = None if size is None else flash.configuration_ms(size)
    return Row(
        board=board.name,
        model=path.stem,
        clock_mhz=board.clock_mhz,
        image_bytes=len(image),
        boot_cycles=found.booted,
        boot_ms=found.booted / board.clock_mhz / 1e3,
        first_answer_ms=answered,
        run_cycles=found.run,
        mismatches=wrong,
        bitstream_bytes=size,
        configuration_ms=configuration,
        power_up_ms=None if configuration is None else configuration + answered + _RESET_CYCLES / board.clock_mhz / 1e3,
    )


def _show(rows: list[Row]) -> None:
    table = Table(title="From power-up to the first answer")
    for title in ("board", "model", "image bytes", "boot ms", "first answer ms", "configuration ms", "wrong"):
        table.add_column(title, justify="left" if title in ("board", "model") else "right")
    for row in rows:
        configuration = "" if row.configuration_ms is None else f"{row.configuration_ms:.0f}"
        shown = f"{row.boot_ms:.1f}", f"{row.first_answer_ms:.1f}", configuration
        table.add_row(row.board, row.model, f"{row.image_bytes:,}", *shown, str(row.mismatches))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
