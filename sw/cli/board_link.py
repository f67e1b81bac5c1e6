"""Commands that talk to a board, real or simulated: board run, board simulate."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..api.linked import Linked
from ..api.samples import load_samples
from ..errors import InputError
from ..results import writable_folder, write_arrays, write_json
from .board import Alone, AnswerForm, Answers, BoardName, Link, OverLink, Serve, chosen_board
from .models import run_report
from .options import InputFile, JsonFile, Limit, OutputArrays, ProgramFile, ProgramName, Raw, opened
from .output import TERMINAL, progress_bar, report_done, show_table

if TYPE_CHECKING:
    from ...sim.board import VirtualBoard

__all__ = ["run_on_board", "simulate_board"]

_VIRTUAL_BAUD = {Link.UART: 19200, Link.USB: 4800}  # what a host should believe: timeouts then suit the simulation
_DIVISOR = 4


def run_on_board(
    name: BoardName,
    program: ProgramFile,
    port: Annotated[
        str,
        typer.Option(
            "--port",
            metavar="PORT",
            help="Serial port: /dev/ttyUSB0, COM3, socket://...; auto: where the board is plugged in; with --link spi "
            "that of a serprog adapter, or ftdi://ftdi:2232h/1 and the like.",
        ),
    ],
    samples: InputFile,
    chosen: ProgramName = None,
    link: OverLink = Link.UART,
    baud: Annotated[
        int | None,
        typer.Option("--baud", min=300, metavar="N", help="Bits a second on the link, where not the board's own."),
    ] = None,
    loaded: Annotated[
        bool, typer.Option("--loaded", help="Load nothing: the core has the program from its flash already.")
    ] = False,
    limit: Limit = None,
    check: Annotated[bool, typer.Option("--check", help="Compare every output with the golden model.")] = False,
    output: OutputArrays = None,
    raw: Raw = False,
    json: JsonFile = None,
) -> None:
    """Run a program on a board: load it over UART, SPI or USB, send samples, read the results.

    The board holds the core that the program was compiled for; any other one refuses it. With --check, exit status 1 if
    a level differs from the golden model's. With --loaded the core must have loaded just that program from its flash.

    **Example**

        narrows board run ulx3s model.nrw --port /dev/ttyUSB0 --input test.npz

        narrows board run orangecrab m.nrw --link usb --port auto --input x.npz

        narrows board run upduino m.nrw --link spi --port PORT --input x.npz
    """
    from ..api.quality import sound_labels
    from ..engines.port import BoardEngine

    if output is not None:
        writable_folder(output)
    board = chosen_board(name, link=link)
    linked = None if chosen is None else Linked.load(program, listener=TERMINAL)
    compiled = opened(program) if linked is None else linked[str(chosen)]
    x, y = load_samples(samples, limit, compiled.graph.input.shape)
    labels = sound_labels(compiled.graph.outputs, y, TERMINAL)
    engine = BoardEngine(board, port, baud, loaded)
    if linked is None:
        result = compiled.run(x, engine, raw=raw)
    else:
        [result] = linked.run([(str(chosen), x)], engine, raw=raw)
    if output is not None:
        write_arrays(output, result)
    report = run_report(result, labels)
    report["milliseconds_per_sample"] = round(report["cycles_per_sample"] / board.clock_mhz / 1e3, 4)
    report["requests_repeated"] = result.run.repeated
    if check:
        golden = compiled.run(x).run.outputs
        report["mismatches"] = sum(int((found != golden[key]).sum()) for key, found in result.run.outputs.items())
    rows = [(key.replace("_", " "), value) for key, value in report.items()]
    show_table(f"{program} on {board.title}", ("", board.name), rows)
    write_json(json, report | {"board": board.name})
    if report.get("mismatches"):
        raise typer.Exit(1)


def simulate_board(
    name: BoardName,
    program: Annotated[
        Path | None, typer.Option("--program", metavar="M.nrw", help="With the core that this program needs.")
    ] = None,
    link: OverLink = Link.UART,
    alone: Alone = False,
    serve: Serve = False,
    answer: Answers = AnswerForm.LEVELS,
    divisor: Annotated[
        int, typer.Option("--divisor", min=4, max=65535, metavar="N", help="Clock cycles of a bit on the UART.")
    ] = _DIVISOR,
) -> None:
    """Simulate a board at its pins, behind a pseudo-terminal: for `narrows board run` and any other serial program.

    The board's own top with its core, clock, reset and pins runs under Verilator, some hundred thousand cycles a
    second. A bit on its UART takes fewer cycles than on the board, so that transfers are simulated sooner. The command
    prints the port and stays until Ctrl-C. With --link spi that port is an adapter's, which speaks serprog; with --link
    usb it is the serial port that a USB host, played at the pins, has found. Lines typed meanwhile act on the board:
    `reset` takes its power away for a moment, `noise 1e-6` turns its receive line over in that share of all cycles,
    `drop 1e-3` loses that share of all bytes, or on SPI a pulse in that share of them, on USB of packets. With --alone
    the board finds the program in its flash; with --serve, too, bytes of frames go to the port and answers come back.

    **Example**

        narrows board simulate ulx3s --program model.nrw
    """
    from ...boards.simulation import virtual_board
    from ..linked import first_of, load_all
    from ..runtime.boot import boot_image
    from ..runtime.serving import serving_of

    board, image = chosen_board(name, program, link=link, alone=alone, serve=serve), b""
    if alone:
        if program is None:
            raise InputError("a board that is alone needs the program that is in its flash: name it with --program")
        compiled, core = load_all(program), board.config
        image = boot_image(compiled, core, serving_of(first_of(compiled), core, answer.kind) if serve else None)
    with progress_bar(f"building {board.title}"):
        virtual = virtual_board(board, divisor=divisor, flash=image)
    with virtual:
        ways = () if link is Link.UART else ("--link", link.value)
        how = " ".join((*ways, *(("--baud", str(_VIRTUAL_BAUD[link])) if link in _VIRTUAL_BAUD else ())))
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
