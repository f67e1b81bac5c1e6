"""The command list: what there is to choose from."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import typer

from ..results import write_json
from .options import JsonFile
from .output import show_table

__all__ = ["list_choices"]

_SHOWN_FORMATS = (
    "dybit2",
    "dybit3",
    "dybit4",
    "int2",
    "int3",
    "int4",
    "int6",
    "int8",
    "e2m1",
    "udybit4",
    "uint4",
    "uint8",
)


class What(enum.StrEnum):
    """Things to choose from."""

    PRESETS = "presets"
    BOARDS = "boards"
    FORMATS = "formats"
    TARGETS = "targets"


def list_choices(
    what: Annotated[What, typer.Argument(metavar="WHAT", help="presets, boards, formats or targets.")],
    json: JsonFile = None,
) -> None:
    """List presets, boards, formats or targets: what other commands take by name.

    **Example**

        narrows list presets
    """
    title, header, rows = {
        What.PRESETS: _presets,
        What.BOARDS: _boards,
        What.FORMATS: _formats,
        What.TARGETS: _targets,
    }[what]()
    show_table(title, header, rows)
    write_json(json, {what.value: [dict(zip(header, row, strict=True)) for row in rows]})


Table = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]


def _presets() -> Table:
    from ...hw.spec.config import PRESETS

    rows = []
    for name, core in PRESETS.items():
        shape = f"{core.rows} x {core.columns} x {core.lanes}"
        rows.append((name, shape, core.macs, core.acc_bits, core.weight_words, core.act_words))
    return "presets: --preset NAME", ("name", "shape", "units", "acc_bits", "weight_words", "act_words"), rows


def _boards() -> Table:
    from ...boards.catalogue import BOARDS

    rows = [(name, board.device, board.config.macs, f"{board.clock_mhz:g}") for name, board in BOARDS.items()]
    return "boards: --board NAME, or a file of your own", ("name", "FPGA", "units", "MHz"), rows


def _formats() -> Table:
    from ...hw.spec.formats import parse_format

    rows = []
    for name in _SHOWN_FORMATS:
        levels = [int(level) for level in parse_format(name).levels if level >= 0]
        shown = " ".join(map(str, levels)) if len(levels) <= 9 else f"0 to {levels[-1]}"
        rows.append((name, len(parse_format(name).levels), shown))
    return "formats: --weights NAME, --acts NAME", ("name", "levels", "not negative"), rows


def _targets() -> Table:
    from ..targets import FAMILIES, TARGETS

    rows = [(family, "", "") for family in FAMILIES]
    rows += [
        (name, "yes" if target.estimated else "", "yes" if target.device else "") for name, target in TARGETS.items()
    ]
    return "targets: --target NAME", ("name", "estimated", "placed here"), rows
