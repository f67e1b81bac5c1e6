"""Figures of a run: its roofline, and what lies where in the memories while it lasts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import Opcode
from ...hw.spec.registers import Region
from ...hw.spec.transfer_cycles import BusTiming
from ..compile.allocate import lifetimes
from ..costs.timeline import Timeline
from ..costs.work import LayerWork, step_bytes
from ..program import Program
from .canvas import ALERT, GRID, INK, MAIN, MUTED, PALETTE, figure, labels, svg, text_width
from .label_places import Box, overlap, place_labels, together

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Stay", "memory_map", "roofline", "stays"]

_SMALL = 8
"""Points of the letters of labels."""

_PANEL = 430.0, 155.0
"""Points of a memory's panel across and up, at least."""

_Point = tuple[float, float]

_SAME, _FAR = 5.0, 20.0
"""Points apart below which two marks share a label, and beyond which a label has a line to its mark."""


def roofline(layers: Sequence[LayerWork], config: AcceleratorConfig, bus: BusTiming) -> str:
    """Useful multiplications a cycle against those for each byte that the array reads (and that the bus moves).

    Layers are shown by their number, from 1; no two labels overlap. One below the level line has idle lanes, rows or
    columns, or takes several digits; one below the slope waits.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    trained = [layer for layer in layers if layer.macs]
    panels = [
        (
            "bytes that the on-chip memories give the array",
            step_bytes(config),
            [_fetched(layer, config) for layer in trained],
        )
    ]
    if config.has_backing:
        moved = [float(layer.loaded + layer.stored) for layer in trained]
        panels.append(("bytes on the bus to the backing store", config.bus_bytes / bus.pace, moved))
    numbers = [1 + number for number, layer in enumerate(layers) if layer.macs]
    with figure(7.0, 3.6 * len(panels), len(panels)) as (drawn, axes, text):
        marked = []
        for panel, (title, slope, moved) in zip(axes, panels, strict=True):
            shown = [entry for entry in zip(numbers, trained, moved, strict=True) if entry[2]]
            points = [(layer.macs / size, layer.macs / layer.cycles) for _, layer, size in shown]
            ridge, intensities = config.macs / slope, [intensity for intensity, _ in points]
            low, high = min([*intensities, ridge]) / 2, max([*intensities, ridge]) * 2
            roof = [(low, low * slope), (ridge, config.macs), (high, config.macs)]
            panel.plot(*zip(*roof, strict=True), color=ALERT, linewidth=1.5)
            for point in points:
                panel.plot(*point, "o", color=MAIN, markersize=6, alpha=0.7)
            panel.set_xscale("log")
            panel.set_yscale("log")
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_locator(NullLocator())
            panel.grid(visible=True, axis="both", which="major", color=GRID)
            panel.set_xlabel(f"useful multiplications for each of the {title}")
            panel.set_ylabel("useful multiplications a cycle")
            panel.set_title(f"{config.macs} units, {slope:g} bytes a cycle", loc="right", color=ALERT, fontsize=9)
            marked.append((panel, [number for number, _, _ in shown], points, roof))
        drawn.draw_without_rendering()  # only now is it known where points lie
        for each in marked:
            _number(*each)
    return svg(text)


def _number(panel: Axes, numbers: Sequence[int], points: Sequence[_Point], roof: Sequence[_Point]) -> None:
    """Labels of points, away from each other and from the roof; points that lie on one another share one."""

    def dots(given: Sequence[_Point]) -> list[_Point]:
        return [(float(x), float(y)) for x, y in panel.transData.transform(given)] if given else []

    places = dots(points)
    groups = together(places, _SAME)
    texts = [_runs([numbers[member] for member in group]) for group in groups]
    sizes = [
        (max(len(line) for line in each.split("\n")) * 0.66 * _SMALL, each.count("\n") * 1.2 * _SMALL + 1.1 * _SMALL)
        for each in texts
    ]
    left, bottom, right, top = map(float, panel.bbox.extents)
    found = place_labels([places[group[0]] for group in groups], sizes, (left, bottom, right, top), dots(roof))
    for each, group, middle in zip(texts, groups, found, strict=True):
        if middle is None:
            continue
        at = places[group[0]]
        far = math.dist(at, middle) > _FAR
        panel.annotate(
            each,
            points[group[0]],
            xytext=(middle[0] - at[0], middle[1] - at[1]),
            textcoords="offset points",
            ha="center",
            va="center",
            color=INK,
            fontsize=_SMALL,
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6} if far else None,
        ).set_in_layout(False)


def _runs(numbers: Sequence[int]) -> str:
    """Numbers in order, those behind each other as a range, at most four to a line."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ",\n".join(", ".join(parts[at : at + 4]) for at in range(0, len(parts), 4))


def _fetched(layer: LayerWork, config: AcceleratorConfig) -> float:
    return layer.busy * step_bytes(config)


@dataclass(frozen=True, kw_only=True)
class Stay:
    """Words ``first`` to before ``end`` of a memory hold ``name`` from cycle ``begin`` to before ``done``."""

    memory: Region
    name: str
    first: int
    end: int
    begin: int
    done: int


def stays(program: Program, run: Timeline) -> list[Stay]:
    """What lies in activation and weight memory, and for how long.

    Tensors lie where their layouts say from the first write of the layer that makes them to the last read. What a LOAD
    brings in stays until its layer is done or something else is loaded there. Weights that stay for the whole run are
    not listed.
    """
    return [*_tensors(program, run), *_loads(program, run)]


def _tensors(program: Program, run: Timeline) -> Iterator[Stay]:
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    for step in run.steps:
        if step.opcode is Opcode.COMPUTE:
            begins.setdefault(step.layer, step.begin)
            ends[step.layer] = step.end
    names = [layer.name for layer in program.graph.layers]
    for name, life in lifetimes(program.graph).items():
        layout = program.layouts[name]
        if name in program.external:
            continue
        yield Stay(
            memory=Region.ACTIVATIONS,
            name=name,
            first=layout.base,
            end=layout.base + layout.size,
            begin=0 if life.first < 0 else begins[names[life.first]],
            done=run.cycles if life.last >= len(names) else ends[names[max(life.last, 0)]],
        )


def _loads(program: Program, run: Timeline) -> Iterator[Stay]:
    """In the order they begin, backwards, so that what a later LOAD overwrites is known."""
    done = {step.layer: step.end for step in run.steps if step.opcode is Opcode.COMPUTE}
    later: list[Stay] = []
    loads = [step for step in run.steps if step.opcode is Opcode.LOAD and step.fields["memory"] != Region.PARAMS]
    for step in sorted(loads, key=lambda step: -step.begin):
        memory = Region(step.fields["memory"])
        for line in range(step.fields["lines"]):
            first = step.fields["address"] + line * step.fields["pitch"]
            if memory is Region.ACTIVATIONS:
                first %= program.config.act_words
            end = first + step.fields["count"]
            over = [o.begin for o in later if o.memory is memory and o.first < end and first < o.end]
            last = min([max(done.get(step.layer, step.end), step.end), *(o for o in over if o > step.begin)])
            later.append(Stay(memory=memory, name=step.layer, first=first, end=end, begin=step.begin, done=last))
    return reversed(later)


def memory_map(program: Program, run: Timeline) -> str:
    """Words of activation memory, and of weight memory where weights are loaded, against cycles."""
    found = stays(program, run)
    memories = [region for region in (Region.ACTIVATIONS, Region.WEIGHTS) if any(s.memory is region for s in found)]
    depths = {Region.ACTIVATIONS: program.config.act_words, Region.WEIGHTS: program.config.weight_words}
    names = list(dict.fromkeys(stay.name for stay in found))
    shown = dict(zip(names, labels(names), strict=True))
    with figure(7.0, 2.8 * len(memories) + 0.2, len(memories)) as (_, axes, text):
        for panel, region in zip(axes, memories, strict=True):
            top = min(depths[region], max(stay.end for stay in found if stay.memory is region))
            taken: list[Box] = []
            for stay in found:
                if stay.memory is region:
                    color = PALETTE[names.index(stay.name) % len(PALETTE)]
                    width, height = stay.done - stay.begin, stay.end - stay.first
                    panel.broken_barh(
                        [(stay.begin, width)], (stay.first, height), facecolor=color, alpha=0.45, edgecolor=color
                    )
                    across, up = _PANEL[0] / run.cycles, _PANEL[1] / top
                    middle = stay.begin + width / 2, stay.first + height / 2
                    half = text_width(shown[stay.name], _SMALL) / 2, 0.6 * _SMALL
                    x, y = middle[0] * across, middle[1] * up
                    box = x - half[0], y - half[1], x + half[0], y + half[1]
                    fits = 2 * half[0] <= width * across and 2 * half[1] <= height * up
                    if fits and not any(overlap(box, other) for other in taken):  # what a state takes over lies on it
                        taken.append(box)
                        panel.annotate(shown[stay.name], middle, ha="center", va="center", fontsize=_SMALL, color=INK)
            panel.set_xlim(0, run.cycles)
            panel.set_ylim(0, top)
            panel.set_ylabel(f"{region.name.lower()}, words", color=MUTED)
        axes[-1].set_xlabel("clock cycles since the start of a run")
    return svg(text)
