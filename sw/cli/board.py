"""Commands on boards: list, configuration, build, flash."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..api.config import Config
from ..results import write_json
from ..tasks import open_workers
from .hardware import show_resources
from .options import Cluster, Jobs, JsonFile
from .output import TERMINAL, next_step, progress_bar, report_done, show_table

if TYPE_CHECKING:
    from ...boards.board import Board
    from ...boards.flow import BoardBuild
    from ...boards.plan import BoardPlan
    from ...hw.spec.answer import AnswerKind

__all__ = [
    "Alone",
    "AnswerForm",
    "Answers",
    "BoardName",
    "Folder",
    "Link",
    "OverLink",
    "Serve",
    "app",
    "build",
    "chosen_board",
]

app = typer.Typer(no_args_is_help=True, help="Boards: list them, build their bitstreams, load these, talk to them.")


class Link(enum.StrEnum):
    """Ways from a computer to a board."""

    UART = "uart"
    SPI = "spi"
    USB = "usb"


class AnswerForm(enum.StrEnum):
    """What a board that serves answers with."""

    LEVELS = "levels"
    PLACE = "place"

    @property
    def kind(self) -> AnswerKind | None:
        """As `serving_of` takes it."""
        from ...hw.spec.answer import AnswerKind

        return AnswerKind.PLACE if self is AnswerForm.PLACE else None


Answers = Annotated[
    AnswerForm,
    typer.Option("--answer", help="Of a board built with --serve: the output's levels, or the place of the largest."),
]
BoardName = Annotated[str, typer.Argument(metavar="NAME", help="A board, as `narrows board list` names it.")]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="DIR", help="Where the build's files go; build/boards/NAME without it."),
]
Program = Annotated[
    Path | None,
    typer.Option("--program", metavar="M.nrw", help="Put the core on it that this program was compiled for."),
]
Alone = Annotated[
    bool, typer.Option("--alone", help="With a core that loads its program by itself, from the board's flash.")
]
Serve = Annotated[
    bool,
    typer.Option(
        "--serve", help="With --alone and without a host: frames come on the UART as bare bytes, answers leave."
    ),
]
OverLink = Annotated[
    Link, typer.Option("--link", help="How the board is connected; `narrows board list` names those with SPI or USB.")
]


def chosen_board(
    name: str,
    program: Path | None = None,
    *,
    clock: float | None = None,
    baud: int | None = None,
    link: Link = Link.UART,
    alone: bool = False,
    serve: bool = False,
) -> Board:
    """A board by name, perhaps with the core of a program, another clock in MHz, another speed of its UART, alone (with
    a core that loads its program by itself), or serving without a host.

    Raises
    ------
    BoardError
        If there is no such board, or no such clock, speed or link on it.
    """
    from ...boards.catalogue import find_board
    from ..linked import Linked

    board = find_board(name).over(link.value)
    board = dataclasses.replace(board, clock_mhz=clock or board.clock_mhz, baud=baud or board.baud)
    board = board if program is None else board.with_config(Linked.load(program).config)
    return dataclasses.replace(board, alone=alone or board.alone, serves=serve or board.serves)


@app.command("list")
def list_boards(json: JsonFile = None) -> None:
    """List the boards, what is on them, and how they are reached."""
    from ...boards.catalogue import BOARDS

    rows = []
    for name, board in BOARDS.items():
        machine = board.config
        shape = f"{machine.rows} x {machine.columns} x {machine.lanes} = {machine.macs}"
        rows.append((name, board.device, shape, f"{board.clock_mhz:g}", board.memories, board.host_link))
    show_table("boards", ("name", "FPGA", "multiply-accumulates", "MHz", "memories", "host link"), rows)
    write_json(
        json,
        {
            "boards": [
                {
                    "name": name,
                    "title": board.title,
                    "device": board.device,
                    "clock_mhz": board.clock_mhz,
                    "baud": board.baud,
                    "links": board.links,
                    "config": board.config.to_dict(),
                }
                for name, board in BOARDS.items()
            ]
        },
    )


@app.command("config")
def configuration(
    name: BoardName,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.toml", help="Where it goes.")],
) -> None:
    """Write the configuration of a board's core, for `narrows compile --config FILE.toml`.

    **Example**

        narrows board config ulx3s -o ulx3s.toml
    """
    Config(board=name).save(output)
    report_done(f"{output}: the core of {name}")


@app.command("build")
def build(
    name: BoardName,
    program: Program = None,
    link: OverLink = Link.UART,
    clock: Annotated[
        float | None, typer.Option("--clock", min=0.1, metavar="MHZ", help="Another clock for the core.")
    ] = None,
    baud: Annotated[
        int | None, typer.Option("--baud", min=300, metavar="N", help="Another speed for the UART: 3000000, say.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=1, metavar="N", help="Of the first placement.")] = 1,
    alone: Alone = False,
    serve: Serve = False,
    tries: Annotated[
        int, typer.Option("--tries", min=1, metavar="N", help="Placements at most, until one meets the clock.")
    ] = 3,
    folder: Folder = None,
    cluster: Cluster = None,
    jobs: Jobs = 1,
    json: JsonFile = None,
) -> None:
    """Synthesise, place and route a board's design and write its bitstream. Exit status 1 if the clock is not met.

    Where a placement misses the clock another seed is tried; the fastest one is kept. With --jobs or --cluster several
    seeds are placed at once; what is kept is the same. All tools come as wheels (`pip
    install narrows[pnr]`). Boards that only a vendor's tools place get a plan for these, and the core's resources by
    Yosys.

    **Example**

        narrows board build icebreaker

        narrows board build ulx3s --alone --serve

        narrows board build ulx3s --tries 10 --cluster tcp://host:8786
    """
    from ...boards.flow import build_board
    from ...boards.plan import plan_board

    board = chosen_board(name, program, clock=clock, baud=baud, link=link, alone=alone, serve=serve)
    place = folder or Path("build") / "boards" / name
    if board.vendor_only:
        write_json(json, _planned(board, plan_board(board, seed=seed), place))
        return
    with open_workers(cluster, jobs) as workers, progress_bar(f"building {name}") as step:
        done = 0

        def on_step(tool: str) -> None:
            nonlocal done
            step(done, tries + 2, f"{name}: {tool}")
            done += 1

        result = build_board(board, place, seed=seed, tries=tries, on_step=on_step, workers=workers)
    _show(board, result)
    write_json(json, {"board": name, "clock_mhz": board.clock_mhz, "config": board.config.to_dict(), **asdict(result)})
    if not result.met:
        reached = f"{result.placement.fmax_mhz:.1f} of {board.clock_mhz:g} MHz"
        report_done(f"the clock is not met: {reached}; try more --tries, or --clock")
        raise typer.Exit(1)
    next_step(f"narrows board flash {name}" + (" --program M.nrw" if alone else ""))


def _planned(board: Board, plan: BoardPlan, folder: Path) -> dict[str, Any]:
    """Leave a plan for a vendor's tools, show what Yosys makes of the core, and give that as JSON holds it."""
    from ..api.hardware import synthesise_core

    plan.extract(folder)
    report = synthesise_core(board.config, board.family, TERMINAL)
    show_resources(report, f"the core of {board.title}")
    report_done(f"{folder}: sources and build script for the vendor's tools; run build_narrows_board.sh there")
    return {"board": board.name, "clock_mhz": board.clock_mhz, "config": board.config.to_dict(), **report.to_dict()}


def _show(board: Board, result: BoardBuild) -> None:
    placed = result.placement
    show_table(
        f"{board.title}: {placed.fmax_mhz:.1f} MHz with seed {result.seed}, wanted {board.clock_mhz:g}",
        ("cells", "used", "of"),
        [(kind, f"{used:,}", f"{placed.available[kind]:,}") for kind, used in placed.used.items()],
    )
    show_table(
        "the flow",
        ("program", "seconds", "MB"),
        [(step.tool, f"{step.seconds:.0f}", f"{step.megabytes:,.0f}") for step in result.steps],
    )
    report_done(f"{result.bitstream}: {result.bitstream.stat().st_size:,} bytes")
