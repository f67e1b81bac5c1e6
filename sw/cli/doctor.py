"""The command doctor: what would become of a model, node by node, before anything is quantised or compiled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .options import BoardOption, ConfigFile, JsonFile, Preset, chosen_config
from .output import report_done, show_table, write_json

__all__ = ["doctor"]


def doctor(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float ONNX, QONNX, QDQ or TFLite model.")],
    preset: Preset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Of weights, as `narrows compile` takes it.")
    ] = None,
    acts: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Of tensors between layers, as `narrows compile` takes it.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Examine a model before compiling it: every node, how it maps, what it costs, and what to change.

    Cycles and bytes are those of a program of the same shapes and formats with made-up weights. Exit status 1 if the
    model cannot run as it is.

    **Examples**

        narrows doctor model.onnx --preset medium

        narrows doctor model.onnx --board ulx3s
    """
    from ..quantize import QuantSettings
    from ..report.diagnose import diagnose

    machine = chosen_config(preset, config, board)
    settings = QuantSettings(weights=weights or machine.base, acts=acts or machine.base)
    found = diagnose(model, machine, settings)
    show_table(
        f"{model}: {len(found.nodes)} nodes on {machine.macs} multiply-accumulate units",
        ("operator", "node", "writes", "becomes", "MACs", "cycles", "weights", "output"),
        [
            (
                node.operator,
                node.name,
                "x".join(map(str, node.shape)) if node.shape else "?",
                f"{node.status}: {node.detail}" if node.detail else node.status,
                *(f"{value:,}" if value else "" for value in (node.macs, node.cycles)),
                *(f"{value:,} B" if value else "" for value in (node.weight_bytes, node.written_bytes)),
            )
            for node in found.nodes
        ],
    )
    for note in found.notes:
        report_done(f"note: {note}")
    for change in found.changes:
        report_done(f"to change: {change}")
    write_json(json, asdict(found) | {"model": str(model), "refused": found.refused, "macs": machine.macs})
    if found.refused:
        raise typer.Exit(1)
    report_done(f"about {found.cycles:,} cycles for a sample; nothing to change")
