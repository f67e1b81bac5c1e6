"""Pictures of a run: how the array walks through a layer, and when which unit works."""

from __future__ import annotations

from drawing import CYAN, PAPER, RED, Drawing, colour
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.isa import BLOCK, TAP
from narrows.sw.costs.estimate import estimate
from narrows.sw.costs.timeline import Row, timeline
from narrows.sw.examples import digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings

__all__ = ["run_of_digits", "walk"]

_CONFIG = PRESETS["demo"]


def _program() -> Program:
    """The built-in digits model for the demo's core, its learned weights blank."""
    with digits_model() as path:
        graph = lower(load_model(path))
    settings = QuantSettings(weights="dybit4", acts="dybit4")
    program = estimate(graph, _CONFIG, settings, only=True).program
    assert program is not None
    return program


def walk() -> Drawing:
    """How the array goes through a 3 x 3 convolution of the digits model."""
    program = _program()
    run = timeline(program)
    step = next(step for step in run.steps if step.layer == "first.0")
    busy = next(item for item in run.slices if item.index == step.index and item.row is Row.ARRAY)
    fields = step.fields
    [block] = [BLOCK.decode(row.tolist()) for row in program.blocks[fields["first_block"] :][: fields["block_count"]]]
    taps = [TAP.decode(row.tolist()) for row in program.taps[block["first_tap"] :][: block["tap_count"]]]
    width, height, rows, cell = fields["out_width"], fields["out_height"], fields["rows"], 26
    groups = -(-width * height // rows)
    drawing = Drawing(
        300,
        "A layer's walk: pixel groups, channels, blocks and taps",
        f"3 x 3 convolution {step.layer} of the digits model on the demo's core",
    )
    shown, left = 5, 20
    drawing.text(left, 46, f"output: {groups} groups of {rows} pixels, in this order", size=11)
    for y in range(height):
        for x in range(width):
            group = (y * width + x) // rows
            fill = RED if group == shown else CYAN if group % 2 else PAPER
            drawing.labelled(left + x * cell, 60 + y * cell, cell, cell, str(group), fill=fill, size=11)
    left = 270
    offsets = {(number % 3 - 1, number // 3 - 1): tap["offset"] for number, tap in enumerate(taps)}
    assert all(offset == dy * width + dx for (dx, dy), offset in offsets.items())
    pixels = {(shown * rows + row) for row in range(rows)}
    drawing.text(left, 46, f"input words of group {shown}: rows side by side, tap by tap", size=11)
    for y in range(height):
        for x in range(width):
            number = sum(1 for dx, dy in offsets for p in pixels if (x, y) == (p % width + dx, p // width + dy))
            place = left + x * cell, 60 + y * cell, cell, cell
            if number:
                drawing.labelled(*place, str(number), fill=RED, size=11)
            else:
                drawing.box(*place, faint=True)
    steps = groups * fields["column_groups"] * block["groups"] * block["tap_count"]
    lines = (
        f"for each of {groups} pixel groups",
        f"    for each of {fields['column_groups']} groups of {_CONFIG.columns} output channels: one tile",
        f"        for each of {fields['block_count']} block: one pair of digits",
        f"            for each of {block['groups']} groups of {_CONFIG.lanes} input channels",
        f"                for each of {block['tap_count']} taps: one step",
        "        drain the tile, while the next one runs",
        f"{steps:,} steps; the array is at it for {busy.end - busy.begin:,} cycles",
    )
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        drawing.text(510 + 4 * indent, 70 + 28 * number, line.strip(), size=12, bold=number == len(lines) - 1)
    return drawing


def run_of_digits() -> Drawing:
    """When array, drain and max-pool unit work on which layer of the digits model."""
    program = _program()
    run = timeline(program)
    rows = [row for row in Row if any(item.row is row for item in run.slices)]
    scale = 760 / run.cycles
    drawing = Drawing(
        90 + 40 * len(rows) + 22 * -(-len(run.steps) // 3),
        "One run of the digits model in time",
        f"One image of the digits on the demo's core: {run.cycles:,} cycles",
    )
    for number, row in enumerate(rows):
        y = 44 + 40 * number
        drawing.text(100, y + 13, str(row), anchor="end")
        for item in run.slices:
            if item.row is row:
                x, size = 110 + item.begin * scale, (item.end - item.begin) * scale
                drawing.box(x, y, size, 26, fill=colour(item.index), faint=True)
    y = 44 + 40 * len(rows)
    for cycles in range(0, run.cycles, 1000):
        drawing.path([(110 + cycles * scale, y - 8), (110 + cycles * scale, y)])
        drawing.text(110 + cycles * scale, y + 9, f"{cycles:,}", anchor="middle", size=10)
    for number, step in enumerate(run.steps):
        x, place = 110 + 250 * (number % 3), y + 30 + 22 * (number // 3)
        drawing.key(x, place, step.index, f"{step.layer}: {step.end - step.begin:,}")
    return drawing
