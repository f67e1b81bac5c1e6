"""Figure: cells per multiply-accumulate unit side by side, and what narrower widths save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import cycler, rc_context
from matplotlib.figure import Figure
from narrows.sw.files import new_file
from narrows.sw.toolchain.synthesis import TARGETS

from .cases import BASES
from .measure import Row
from .report import by_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_INK, _MUTED, _GRID = "#1c2733", "#64748b", "#e2e8f0"
_OURS, _OTHERS = "#0f766e", "#99d5ce"
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _GRID,
    "xtick.color": _MUTED,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=("#0f766e", "#c2410c", "#4f46e5", "#a16207", "#be185d", "#0369a1", "#4d7c0f")),
    "grid.color": _GRID,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "narrows",
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write the figure; its suffix (svg, png, pdf) says how."""
    with rc_context(_STYLE):
        arrays = [row for row in rows if row.case.macs]
        cases = list(by_case(arrays))
        figure = Figure(figsize=(11, 4.6 + 0.22 * len(cases)), layout="constrained")
        upper, lower = figure.subfigures(2, 1, height_ratios=(0.22 * len(cases) + 1, 3.6), squeeze=False)[:, 0]
        targets = list(dict.fromkeys(row.target for row in rows))
        if arrays:
            panels = upper.subplots(1, len(targets), sharey=True, squeeze=False)[0]
            for axes, target in zip(panels, targets, strict=True):
                _bars(axes, [row for row in arrays if row.target == target], [case.title for case in cases])
        left, right = lower.subplots(1, 2)
        first = [row for row in arrays if row.target == targets[0]]
        units: dict[str, list[Row]] = {}
        for row in first:
            units.setdefault(f"{row.case.unit} {row.case.shape} {row.case.pipeline}".strip(), []).append(row)
        _lines(left, units, "acc_bits")
        left.set(xlabel="accumulator width P", ylabel=f"{TARGETS[targets[0]].title}: LUT / MAC")
        channels = [row for row in rows if row.case.unit == "rescaler" and row.case.acc_bits == 16]
        families = {TARGETS[target].title: [row for row in channels if row.target == target] for target in targets}
        _lines(right, families, "rescale_bits")
        right.set(xlabel="width k of the rescaler's multiplicand (P = 16)", ylabel="LUT / channel")
        kind = path.suffix[1:]
        with new_file(path) as file:
            figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None, dpi=130)


def _bars(axes: Axes, rows: Sequence[Row], titles: Sequence[str]) -> None:
    target = rows[0].target
    places = [titles.index(row.case.title) for row in rows]
    values = [row.lut / row.share for row in rows]
    colours = [_OURS if row.case.unit in (*BASES, "core") else _OTHERS for row in rows]
    axes.barh(places, values, color=colours, height=0.7)
    for place, value in zip(places, values, strict=True):
        axes.annotate(f"{value:.1f}", (value, place), (3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.margins(x=0.18)
    axes.grid(visible=False, axis="y")
    axes.set_title(f"{TARGETS[target].title}, {TARGETS[target].lut_name} / MAC", loc="left", fontsize=10)


def _lines(axes: Axes, groups: Mapping[str, Sequence[Row]], width: str) -> None:
    ticks: set[int] = set()
    for label, rows in groups.items():
        points = sorted((getattr(row.case, width), row.lut / row.share) for row in rows)
        if len(points) > 1:
            ticks.update(at for at, _ in points)
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted(ticks))
    if ticks:
        axes.legend(fontsize=8)
