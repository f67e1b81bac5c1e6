"""The command doctor: what would become of a model, node by node, before anything is quantised or compiled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...hw.spec.config import PRESETS, AcceleratorConfig
from .loading import judged
from .machine import model_config
from .options import (
    BoardOption,
    ConfigFile,
    InputShapes,
    JsonFile,
    ModelPreset,
    chosen_config,
    input_shapes,
)
from .output import report_done, show_table, write_json

if TYPE_CHECKING:
    from ..quantize import QuantSettings
    from ..report.diagnose import Diagnosis, Fit, NodeReport
    from ..report.propose import Proposal

__all__ = ["doctor"]

_DEVICE = "ecp5-85k"


def doctor(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float ONNX, QONNX, QDQ or TFLite model.")],
    preset: ModelPreset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Of weights, as `narrows compile` takes it.")
    ] = None,
    acts: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Of tensors between layers, as `narrows compile` takes it.")
    ] = None,
    input_shape: InputShapes = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show fused and constant nodes and data movement, too, and what they go into.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Examine a model before compiling it: every node, how it maps, what it costs, what to change, which cores hold it.

    Cycles and bytes are those of a program of the same shapes and formats. What stands behind a refused node is not
    looked at: what takes its place may give another shape. Exit status 1 if the model cannot run as it is.

    **Examples**

        narrows doctor model.onnx

        narrows doctor model.onnx --board ulx3s --all

        narrows doctor yolo.onnx --input-shape images=1,3,320,320 --weights int8 --acts int8
    """
    from ..passes import lower
    from ..quantize import QuantSettings
    from ..quantize.halves import in_halves
    from ..report.diagnose import cores_for, diagnose
    from ..report.examine import examine
    from ..report.propose import smallest

    def settings(core: AcceleratorConfig) -> QuantSettings:
        return QuantSettings(weights=weights or core.base, acts=acts or core.base)

    examined = examine(model, input_shapes(input_shape))
    lowered = None if examined.refusals or examined.graph is None else in_halves(lower(examined.graph))
    verdict = None if examined.imported is None else judged(model, examined.imported)
    if lowered is None:
        machine = chosen_config(preset, config, board)
    else:
        machine = model_config(lowered, settings, preset, config, board)
    found = diagnose(examined, machine, settings(machine))
    shape = f"{machine.rows} x {machine.columns} x {machine.lanes} units"
    _show_nodes(f"{model}: {len(found.nodes)} nodes on {shape}", found, every)
    for note in found.notes:
        report_done(f"note: {note}")
    fits: list[Fit] = []
    least = None
    if lowered is not None:
        fits = cores_for(lowered, _cores(), settings)
        least = smallest(lowered, settings, device=_DEVICE)
        _show_cores(fits, least)
    for refusal in found.refusals:
        report_done(f"to change: {refusal}")
    for line in found.lacking:
        report_done(f"lacking: {line}")
    write_json(
        json,
        asdict(found)
        | {"model": str(model), "changes": found.changes, "refused": found.refused, "macs": machine.macs}
        | {"import": verdict, "config": machine.to_dict(), "cores": [asdict(fit) for fit in fits]}
        | {"smallest": None if least is None else least.config.to_dict()},
    )
    if found.refused:
        raise typer.Exit(1)
    report_done(f"about {found.cycles:,} cycles for a sample; nothing to change")


def _cores() -> dict[str, AcceleratorConfig]:
    """Presets and boards by what people call them."""
    from ...boards.catalogue import BOARDS

    presets = {f"preset {name}": config for name, config in PRESETS.items()}
    return presets | {f"board {name}": board.config for name, board in BOARDS.items()}


def _show_nodes(title: str, found: Diagnosis, every: bool) -> None:
    from ..report.examine import Status

    folded = {Status.FUSED, Status.MOVEMENT, Status.CONSTANT}
    shown = [node for node in found.nodes if every or node.status not in folded]
    show_table(
        title,
        ("node", "writes", "becomes", "MACs", "cycles", "weights"),
        [
            (
                f"{node.operator} {node.name}",
                "x".join(map(str, node.shape)) if node.shape else "?",
                _becomes(node),
                _short(node.macs),
                f"{node.cycles:,}" if node.cycles else "",
                f"{_short(node.weight_bytes)}B" if node.weight_bytes else "",
            )
            for node in shown
        ],
        texts=("node", "writes", "becomes"),
    )
    if hidden := len(found.nodes) - len(shown):
        kinds = {node.status for node in found.nodes if node.status in folded}
        report_done(f"{hidden} nodes not shown ({', '.join(sorted(kinds))}): --all shows them")


def _becomes(node: NodeReport) -> str:
    """What becomes of a node; why one is refused stands below the table."""
    from ..report.examine import Status

    detail = node.detail if node.status is Status.FUSED else ""
    return f"{node.status} {detail}".strip()


def _show_cores(fits: list[Fit], least: Proposal | None) -> None:
    """Which presets and boards hold the model, and the smallest core that does."""
    show_table(
        "cores",
        ("core", "cycles", "lacks"),
        [
            (
                fit.name,
                f"{fit.cycles:,}" if not fit.lacking else "",
                ", ".join(f"{lack.parameter} {lack.needed:,} of {lack.available:,}" for lack in fit.shortages)
                or "".join(fit.lacking[:1]),
            )
            for fit in fits
        ],
        texts=("core", "lacks"),
    )
    if least is None:
        report_done('no core without a backing store holds the model: backing = "axi4" keeps it in memory outside')
        return
    core = least.config
    report_done(
        f"smallest core that holds it: {core.rows} x {core.columns} x {core.lanes}, {least.cycles:,} cycles, about "
        f"{least.cells.luts:,} LUT4 and {least.cells.brams} block RAMs of an ECP5"
    )
    sizes = ("act_words", "weight_words", "param_words", "taps", "blocks", "instructions")
    report_done("  " + ", ".join(f"{name} = {getattr(core, name)}" for name in sizes))


def _short(count: int) -> str:
    """A count in at most four characters and a letter; nothing for 0."""
    if not count:
        return ""
    value = float(count)
    for unit in ("", "k", "M", "G"):
        if value < 9999.5:
            return f"{value:,.0f}{unit}" if unit == "" or value >= 100 else f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:,.0f}T"
