"""The command link: several programs in one core."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..api.linked import link
from ..api.program import Program
from ..errors import InputError
from ..results import writable_folder, write_json
from .options import JsonFile, opened
from .output import TERMINAL, next_step, show_table

__all__ = ["link_programs"]


def link_programs(
    programs: Annotated[
        list[str], typer.Argument(metavar="[NAME=]A.nrw ...", help="Programs for one configuration; NAME is A without.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="ALL.nrw", help="Where all of them go.")],
    json: JsonFile = None,
) -> None:
    """Give several programs places in one core, so that all are loaded once and each run chooses one.

    All of them are compiled for one configuration; the core gets `entry = 1`. Each program has
    the results and the cycles that it has alone. Equal weights and tables lie there once; tensors share the activation
    memory, but for the states of streaming models, which stay as they are while other programs run.

    **Example**

        narrows link kws.nrw vww.nrw -o both.nrw

        narrows run both.nrw --program kws --input test.npz
    """
    writable_folder(output)
    linked = link(_named(programs), listener=TERMINAL)
    linked.save(output)
    found = linked.summary()
    shown = ("entry", "instructions", "layers", "states")
    show_table(
        f"{output}: {len(linked)} programs",
        ("program", "begins at", *shown[1:]),
        [(name, *(each[key] for key in shown)) for name, each in found["programs"].items()],
    )
    show_table(
        "together",
        ("", "used", "available"),
        [(name, use["used"], use["available"]) for name, use in found["memories"].items()],
    )
    next_step(f"narrows run {output} --program {next(iter(linked))} --input SAMPLES.npz")
    write_json(json, {"output": str(output), "config": linked.config.core.to_dict(), **found})


def _named(texts: Sequence[str]) -> dict[str, Program]:
    """Programs by the names that are given, or those of their files.

    Raises
    ------
    InputError
        If two have one name.
    """
    named: dict[str, Program] = {}
    for text in texts:
        before, equals, behind = text.partition("=")
        alone = not equals or Path(text).exists()
        name, path = (Path(text).stem, Path(text)) if alone else (before, Path(behind))
        if name in named:
            raise InputError(f"two programs are called {name}: name one of them, as in other={path}")
        named[name] = opened(path)
    return named
