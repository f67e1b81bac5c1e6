"""The `narrows` program: its commands, and what becomes of their errors."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from ..errors import NarrowsError
from ..names import printable
from ..processes import stoppable
from ..version import __version__
from . import (
    activity,
    board,
    board_flash,
    board_link,
    demo,
    doctor,
    explain,
    hardware,
    link,
    listing,
    models,
    reports,
    search,
    testbench,
    train,
    verify,
)

__all__ = ["app", "main", "run"]


class _Commands(TyperGroup):
    """All commands; the context's ``obj`` are the words of the call, for who shows them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.obj = list(args)
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Commands,
    pretty_exceptions_enable=False,
    name="narrows",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    help="""
Narrow neural-network accelerators for small FPGAs: a float ONNX model becomes a program of 4-bit codes and the Verilog
of the core that runs it; every engine (integer model, instruction-set model, simulated Verilog) gives the same bits.

**Start here:** `narrows demo` does it all on a built-in model.

**With a model of your own:**

    narrows doctor model.onnx
    narrows compile model.onnx --calib calib.npz
    narrows run model.nrw --input test.npz --engine rtl
    narrows verify model.nrw --input test.npz --limit 10
    narrows verilog --program model.nrw
    narrows synth --program model.nrw --target ecp5
    narrows report model.nrw
    narrows explain model.nrw --model model.onnx --calib calib.npz

Sample files are numpy archives with samples `x` of shape (N, ...), as the model takes them, and perhaps labels `y` of
shape (N,).
""",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"narrows {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    del version  # its callback has shown it


app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("compile")(models.compile_model)
app.command("search")(search.search)
app.command("train")(train.train)
app.command("run")(models.run_model)
app.command("verify")(verify.verify)
app.command("link")(link.link_programs)
app.command("verilog")(hardware.verilog)
app.command("testbench")(testbench.bench)
app.command("synth")(hardware.synth)
app.command("explain")(explain.explain)
app.command("list")(listing.list_choices)
app.command("disasm")(models.disasm)
app.command("report")(reports.report)
app.command("trace")(reports.trace)
app.command("activity")(activity.activity)
board.app.command("flash")(board_flash.flash_board)
board.app.command("run")(board_link.run_on_board)
board.app.command("simulate")(board_link.simulate_board)
app.add_typer(board.app, name="board")


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status: 0 done, 1 a verification that failed, 2 an error of the user's.

    An error of the user's is one line on standard error. So is a fault of narrows itself; its traceback goes to a file
    that the line names.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what comes of it is said in words
            status = app(list(arguments), standalone_mode=False)
    except TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        return _complain(message) if message else 2  # without a message, the help was shown already
    except NarrowsError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", status=130)
    except MemoryError:
        return _complain("not enough memory: give fewer samples or a smaller model")
    except Exception as error:
        return _complain(_fault(error, arguments))
    return status if isinstance(status, int) else 0


def main() -> None:
    """Entry point of the `narrows` script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may have letters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    with stoppable():
        sys.exit(run(sys.argv[1:]))


def _fault(error: Exception, arguments: Sequence[str]) -> str:
    """What to say of an error that nobody foresaw; writes its traceback to a file."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    text = f"narrows {' '.join(arguments)}\nPython {sys.version}\n\n{''.join(traceback.format_exception(error))}"
    number, name = tempfile.mkstemp(prefix="narrows-fault-", suffix=".txt")
    with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return f"this should not happen ({what[:200]}): please report it with {name}"


def _complain(message: str, status: int = 2) -> int:
    print("narrows: error:", printable(" ".join(message.split())), file=sys.stderr)  # noqa: T201
    return status
