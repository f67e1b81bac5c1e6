"""Commands that talk to a board, real or simulated: board run, board simulate."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .board import BoardName, Link, OverLink, chosen_board
from .options import InputFile, JsonFile, Limit, OutputArrays, ProgramFile, Raw, load_samples
from .output import progress_bar, report_done, show_table, writable_folder, write_arrays, write_json
from .quality import sound_labels, warn_of_input

if TYPE_CHECKING:
    from ...sim.board import VirtualBoard

__all__ = ["run_on_board", "simulate_board"]

_VIRTUAL_BAUD = 19200  # what a host should believe: its timeouts then suit the speed of the simulation
_DIVISOR = 4


def run_on_board(
    name: BoardName,
    program: ProgramFile,
    port: Annotated[
        str,
        typer.Option(
            "--port",
            metavar="PORT",
            help="Serial port: /dev/ttyUSB0, COM3, socket://...; with --link spi that of a serprog adapter, or "
            "ftdi://ftdi:2232h/1 and the like.",
        ),
    ],
    samples: InputFile,
    link: OverLink = Link.UART,
    baud: Annotated[
        int | None,
        typer.Option("--baud", min=300, metavar="N", help="Bits a second on the link, where not the board's own."),
    ] = None,
    limit: Limit = None,
    check: Annotated[bool, typer.Option("--check", help="Compare every output with the golden model.")] = False,
    output: OutputArrays = None,
    raw: Raw = False,
    json: JsonFile = None,
) -> None:
    """Run a program on a board: load it over UART or SPI, send samples, read the results.

    The board holds the core that the program was compiled for; any other one refuses it. With --check, exit status 1 if
    a level differs from the golden model's.

    **Example**

        narrows board run ulx3s model.nrw --port /dev/ttyUSB0 --input test.npz

        narrows board run icebreaker model.nrw --link spi --port ftdi://ftdi:2232h/1 --input test.npz
    """
    from ..engines.port import BoardEngine
    from ..program import Program
    from ..runtime import accuracy, clamped_share, prepare_input, restore_outputs

    if output is not None:
        writable_folder(output)
    board = chosen_board(name, link=link)
    compiled = Program.load(program)
    x, y = load_samples(samples, limit)
    labels = sound_labels(compiled.graph.outputs, y)
    levels = prepare_input(compiled.graph, x)
    warn_of_input(compiled, levels, x)
    with progress_bar(f"running on {board.title}") as progress:
        record = BoardEngine(board, port, baud).run(compiled, levels, progress=progress)
    outputs = restore_outputs(compiled.graph, record.outputs, raw=raw)
    if output is not None:
        write_arrays(output, outputs)
    report: dict[str, Any] = {
        "board": board.name,
        "samples": len(levels),
        "cycles_per_sample": float(record.cycles.mean()),
        "milliseconds_per_sample": round(float(record.cycles.mean()) / board.clock_mhz / 1e3, 4),
        "requests_repeated": record.repeated,
    }
    if clamped := clamped_share(compiled.graph, x):
        report["input_values_clamped"] = clamped
    if labels is not None:
        report["accuracy"] = accuracy(compiled.graph, record.outputs, labels)
    if check:
        from ...sim.golden import GoldenModel

        golden = GoldenModel(compiled.graph, compiled.config).run(levels)
        report["mismatches"] = sum(int((found != golden[key]).sum()) for key, found in record.outputs.items())
    show_table(
        f"{program} on {board.title}",
        ("", board.name),
        [(key.replace("_", " "), value) for key, value in report.items() if key != "board"],
    )
    write_json(json, report)
    if report.get("mismatches"):
        raise typer.Exit(1)


def simulate_board(
    name: BoardName,
    program: Annotated[
        Path | None, typer.Option("--program", metavar="M.nrw", help="With the core that this program needs.")
    ] = None,
    link: OverLink = Link.UART,
    divisor: Annotated[
        int, typer.Option("--divisor", min=4, max=65535, metavar="N", help="Clock cycles of a bit on the UART.")
    ] = _DIVISOR,
) -> None:
    """Simulate a board at its pins, behind a pseudo-terminal: for `narrows board run` and any other serial program.

    The board's own top with its core, clock, reset and pins runs under Verilator, some hundred thousand cycles a
    second. A bit on its UART takes fewer cycles than on the board, so that transfers are simulated sooner. The command
    prints the port and stays until Ctrl-C. With --link spi that port is an adapter's, which speaks serprog. Lines typed
    meanwhile act on the board: `reset` takes its power away for a moment, `noise 1e-6` turns its receive line over in
    that share of all cycles, `drop 1e-3` loses that share of all bytes, or on SPI a pulse in that share of them.

    **Example**

        narrows board simulate ulx3s --program model.nrw
    """
    from ...boards.simulation import virtual_board

    board = chosen_board(name, program, link=link)
    with progress_bar(f"building {board.title}"):
        virtual = virtual_board(board, divisor=divisor)
    with virtual:
        how = f"--baud {_VIRTUAL_BAUD}" if link is Link.UART else f"--link {link.value}"
        report_done(f"{board.title}: {virtual.port}; open it with {how}")
        with contextlib.suppress(KeyboardInterrupt):
            for line in sys.stdin:
                _act(virtual, line.split())
            virtual.wait()


def _act(board: VirtualBoard, words: list[str]) -> None:
    match words:
        case ["reset"]:
            board.reset()
        case ["noise", share] if _is_share(share):
            board.set_noise(float(share))
        case ["drop", share] if _is_share(share):
            board.set_drops(float(share))
        case []:
            pass
        case _:
            report_done("reset, noise SHARE and drop SHARE are what can be done to the board")


def _is_share(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return 0 <= float(text) <= 1
    return False
