"""The command doctor: what would become of a model, node by node, before anything is quantised or compiled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..api.model import Model
from ..results import write_json
from .options import (
    BoardOption,
    ConfigFile,
    InputShapes,
    JsonFile,
    ModelPreset,
    States,
    input_shapes,
    named_config,
    state_pairs,
)
from .output import TERMINAL, next_step, report_done, show_table

if TYPE_CHECKING:
    from ..api.doctor import Examination

__all__ = ["doctor"]


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
    state: States = None,
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

        narrows doctor yolo.onnx --input-shape images=1,3,320,320
    """
    loaded = Model(model, input_shapes(input_shape), states=state_pairs(state), listener=TERMINAL)
    found = loaded.doctor(named_config(preset, config, board), weights=weights, acts=acts)
    _show_nodes(found, every)
    for note in found.found.notes:
        report_done(f"note: {note}")
    if found.whole:
        _show_cores(found)
    for refusal in found.found.refusals:
        report_done(f"to change: {refusal}")
    for line in found.found.lacking:
        report_done(f"lacking: {line}")
    write_json(json, found.to_dict() | {"model": str(model)})
    if not found.ok:
        raise typer.Exit(1)
    core = found.core
    units = f"{core.rows} x {core.columns} x {core.lanes} units"
    report_done(f"about {found.cycles:,} cycles for a sample on {units}; nothing to change")
    next_step(f"narrows compile {model} --calib SAMPLES.npz{_core(preset, config, board)}")


def _core(preset: str | None, config: Path | None, board: str | None) -> str:
    """The options that name the core again."""
    options = {"--preset": preset, "--config": config, "--board": board}
    return "".join(f" {name} {value}" for name, value in options.items() if value is not None)


def _show_nodes(found: Examination, every: bool) -> None:
    from ..api.doctor import NODE_HEADER

    nodes, core = found.found.nodes, found.core
    title = f"{found.name}: {len(nodes)} nodes on {core.rows} x {core.columns} x {core.lanes} units"
    show_table(title, NODE_HEADER, found.node_rows(every=every), texts=NODE_HEADER[:3])
    shown = found.nodes(every=every)
    if hidden := [node for node in nodes if node not in shown]:
        kinds = sorted({node.status for node in hidden})
        report_done(f"{len(hidden)} nodes not shown ({', '.join(kinds)}): --all shows them")


def _show_cores(found: Examination) -> None:
    """Which presets and boards hold the model, and the smallest core that does."""
    show_table("cores", ("core", "cycles", "lacks"), found.core_rows, texts=("core", "lacks"))
    least = found.smallest
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
