"""The pictures of docs/pictures.md, from the code and from simulated signals.

    python docs/site/pictures.py           # writes docs/pictures/*.svg

`tests/test_pictures.py` makes them again and compares.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.isa import BLOCK, TAP
from narrows.hw.spec.pipeline import Pipeline, pipeline
from narrows.hw.spec.registers import Region, region_depth, region_word_bits
from narrows.sw.examples import digits_model
from narrows.sw.files import write_whole
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings
from narrows.sw.report.sketch import estimate
from narrows.sw.report.timeline import Row, timeline

sys.path.insert(0, str(Path(__file__).parent))
import port_traces as traces
from drawing import COLOURS, Drawing
from waves import HEIGHT, waves

__all__ = ["BLOCKS", "COMPUTE_BLOCKS", "PICTURES", "example_program", "main"]

WIDTH = 900
_CONFIG = PRESETS["demo"]
_FOLDER = Path(__file__).parents[1] / "pictures"

BLOCKS = {
    "host": (20, 50, "host", "port"),
    "window": (150, 50, "window", "addresses"),
    "registers": (150, 140, "registers", "status, counters"),
    "run": (280, 140, "run", "busy or not"),
    "sequencer": (410, 140, "sequencer", "fetches, hands out"),
    "instructions": (410, 50, "instructions", "memory"),
    "checksums": (540, 50, "checksums", "memory"),
    "compute": (540, 140, "compute", "below"),
    "memory_system": (670, 140, "memory_system", "with a backing store"),
}
"""Units of a core by their instance's name: left, top, and what is written in the box."""

COMPUTE_BLOCKS = {
    "stages": (20, 250, "stages", "one COMPUTE each"),
    "walker": (150, 250, "walker", "pixel groups"),
    "stepper": (280, 250, "stepper", "blocks, taps"),
    "pace": (150, 340, "pace", "waits for the drain"),
    "operands": (410, 250, "operands", "words to levels"),
    "array": (540, 250, "array", "rows x columns x lanes"),
    "drain": (670, 250, "drain", "rescale, round"),
    "max_pool": (540, 340, "max_pool", "largest levels"),
    "writer": (792, 250, "writer", "addresses"),
}
"""The same of the compute unit."""

_MEMORIES = {
    "blocks": (280, 430, "blocks", "memory"),
    "taps": (367, 430, "taps", "memory"),
    "weights": (454, 430, "weights", "memory"),
    "params": (628, 430, "params", "memory"),
    "tables": (715, 430, "tables", "memory"),
    "activations": (541, 430, "activations", "banks"),
}
BLOCKS |= _MEMORIES


def example_program() -> Program:
    """The built-in digits model for the demo's core, its learned weights blank."""
    with digits_model() as path:
        graph = lower(load_model(path))
    settings = QuantSettings(weights="dybit4", acts="dybit4")
    program = estimate(graph, _CONFIG, settings, only=True).program
    assert program is not None
    return program


def block_diagram() -> Drawing:
    """Units of a core as `Core` and `ComputeUnit` wire them."""
    drawing = Drawing(WIDTH, 500, "Block diagram: host's side, sequencer, compute unit, memories")
    drawing.text(20, 22, "The core: control above, a COMPUTE from left to right below, memories last", bold=True)
    drawing.box(12, 225, 876, 175, fill=COLOURS[4], faint=True)
    drawing.text(20, 238, "compute", size=11, bold=True)
    wide = 110
    for places, fill in ((BLOCKS, COLOURS[0]), (COMPUTE_BLOCKS, COLOURS[2])):
        for name, (x, y, title, note) in places.items():
            size = (80 if name in _MEMORIES else 88 if name == "writer" else wide) if name != "host" else 100
            memory = name in _MEMORIES or note == "memory"
            drawing.box(x, y, size, 50, fill=COLOURS[3] if memory else fill, faint=True)
            drawing.text(x + size / 2, y + 18, title, anchor="middle", bold=True, size=12 if len(title) < 12 else 11)
            drawing.text(x + size / 2, y + 36, note, anchor="middle", size=10 if len(note) < 19 else 9)
    for points in (
        [(120, 75), (148, 75)],
        [(205, 100), (205, 138)],
        [(260, 165), (278, 165)],
        [(390, 165), (408, 165)],
        [(465, 100), (465, 138)],
        [(520, 155), (538, 155)],
        [(520, 175), (530, 175), (530, 205), (725, 205), (725, 192)],
        [(500, 138), (500, 120), (595, 120), (595, 102)],
        [(260, 75), (408, 75)],
        [(130, 275), (148, 275)],
        [(260, 275), (278, 275)],
        [(390, 275), (408, 275)],
        [(520, 275), (538, 275)],
        [(650, 275), (668, 275)],
        [(780, 275), (790, 275)],
        [(260, 365), (300, 365), (300, 302)],
        [(595, 190), (595, 223)],
        [(500, 300), (500, 365), (538, 365)],
        [(650, 365), (835, 365), (835, 302)],
        [(340, 430), (340, 302)],
        [(407, 430), (407, 412), (425, 412), (425, 302)],
        [(494, 430), (494, 412), (455, 412), (455, 302)],
        [(560, 430), (560, 405), (480, 405), (480, 302)],
        [(668, 430), (668, 408), (690, 408), (690, 302)],
        [(755, 430), (755, 302)],
        [(865, 300), (865, 490), (581, 490), (581, 482)],
    ):
        drawing.path(points, arrow=True)
    drawing.text(20, 448, "window reaches every memory", size=11)
    drawing.text(20, 464, "while no run is on", size=11)
    return drawing


_STAGES = (
    ("tap", "tap_read"),
    ("address", "address"),
    ("activation word", "activation_read"),
    ("operands", "predecode"),
    ("dot product", "dot_product"),
    ("sum", "accumulate"),
    ("capture", "capture"),
    ("parameters", "param_read"),
    ("rescaler", "rescaler"),
    ("encoder", "encoder"),
    ("writer", "writer"),
    ("to the banks", "to_banks"),
)


def pipeline_stages() -> Drawing:
    """Cycles of every stage from a step to the word that is written (`hw/spec/pipeline.py`)."""
    drawing = Drawing(WIDTH, 250, "Pipeline from a step to the word written, by family")
    drawing.text(20, 22, "From a step to the word written: cycles of each stage, medium core", bold=True)
    machines = {
        "iCE40": dataclasses.replace(PRESETS["medium"], fabric="ice40"),
        "ECP5": PRESETS["medium"],
        "7 series": dataclasses.replace(PRESETS["medium"], fabric="xilinx"),
    }
    scale = 750 / max(_length(pipeline(machine)) for machine in machines.values())
    y = 45.0
    for name, machine in machines.items():
        stages, x = pipeline(machine), 90.0
        drawing.text(80, y + 16, name, anchor="end", bold=True)
        for number, (_, stage) in enumerate(_STAGES):
            if cycles := getattr(stages, stage):
                drawing.box(x, y, cycles * scale, 32, fill=COLOURS[number % len(COLOURS)], faint=True)
                drawing.text(x + cycles * scale / 2, y + 16, str(cycles), anchor="middle")
                x += cycles * scale
        drawing.text(x + 6, y + 16, f"= {_length(stages)}")
        y += 46
    x, y = 90.0, y + 10
    for number, (title, _) in enumerate(_STAGES):
        column, row = number % 6, number // 6
        drawing.box(x + 130 * column, y + 24 * row, 14, 14, fill=COLOURS[number % len(COLOURS)], faint=True)
        drawing.text(x + 130 * column + 20, y + 24 * row + 7, f"{number + 1}. {title}", size=11)
    return drawing


def _length(stages: Pipeline) -> int:
    return sum(getattr(stages, stage) for _, stage in _STAGES)


def memories() -> Drawing:
    """Sizes of a core's memories; where activation words lie, and which of them one step reads."""
    core = dataclasses.replace(_CONFIG, tables=1)
    regions = [region for region in Region if region is not Region.REGISTERS]
    drawing = Drawing(WIDTH, 340 + 26 * len(regions), "Memories: sizes, banks, words")
    first, lines, wide = 6, 4, 140
    title = f"{core.banks} banks: word A lies in bank A % {core.banks}; a step reads {core.rows} neighbours"
    drawing.text(20, 22, f"{title}, here from {first} on", bold=True)
    for bank in range(core.banks):
        drawing.text(80 + bank * wide + wide / 2, 48, f"bank {bank}", anchor="middle", bold=True)
        for line in range(lines):
            address = line * core.banks + bank
            read = first <= address < first + core.rows
            drawing.box(80 + bank * wide, 60 + 30 * line, wide, 30, fill=COLOURS[1] if read else "#ffffff", faint=read)
            row = f" for row {address - first}" if read else ""
            drawing.text(80 + bank * wide + wide / 2, 75 + 30 * line, f"word {address}{row}", anchor="middle", size=11)
    bits, y, size = core.code_bits, 225, 70
    drawing.text(80, y - 14, f"A word: {core.lanes} lanes, a code of {bits} bits for one channel each", size=11)
    for lane in range(core.lanes):
        drawing.box(80 + lane * size, y, size, 28, fill=COLOURS[lane // core.rescalers % 2], faint=True)
        drawing.text(80 + lane * size + size / 2, y + 14, f"{bits * lane + bits - 1}:{bits * lane}", anchor="middle")
    note = f"a drain writes granules of {core.rescalers} codes"
    drawing.text(80 + core.lanes * size + 10, y + 14, note, size=11)
    drawing.text(20, 290, "All memories of the demo's core, with one table: words x bits", bold=True)
    sizes = {region: (region_depth(core, region), region_word_bits(core, region)) for region in regions}
    most = max(words * bits for words, bits in sizes.values())
    for number, (region, (words, bits)) in enumerate(sizes.items()):
        y, long = 314 + 26 * number, max(2.0, 480 * words * bits / most)
        drawing.text(150, y + 9, region.name.lower(), anchor="end")
        drawing.box(160, y, long, 18, fill=COLOURS[number % len(COLOURS)], faint=True)
        drawing.text(170 + long, y + 9, f"{words:,} x {bits} = {words * bits / 1024:,.3g} Kibit")
    return drawing


def walk() -> Drawing:
    """How the array goes through a 3 x 3 convolution of the digits model."""
    program = example_program()
    run = timeline(program)
    step = next(step for step in run.steps if step.layer == "first.0")
    busy = next(item for item in run.slices if item.index == step.index and item.row is Row.ARRAY)
    fields = step.fields
    [block] = [BLOCK.decode(row.tolist()) for row in program.blocks[fields["first_block"] :][: fields["block_count"]]]
    taps = [TAP.decode(row.tolist()) for row in program.taps[block["first_tap"] :][: block["tap_count"]]]
    width, height, rows, cell = fields["out_width"], fields["out_height"], fields["rows"], 26
    groups = -(-width * height // rows)
    drawing = Drawing(WIDTH, 300, "A layer's walk: pixel groups, channels, blocks and taps")
    drawing.text(20, 22, f"3 x 3 convolution {step.layer} of the digits model on the demo's core", bold=True)
    shown, left = 5, 20
    drawing.text(left, 46, f"output: {groups} groups of {rows} pixels, in this order", size=11)
    for y in range(height):
        for x in range(width):
            group = (y * width + x) // rows
            fill = COLOURS[1] if group == shown else COLOURS[4] if group % 2 else "#ffffff"
            drawing.box(left + x * cell, 60 + y * cell, cell, cell, fill=fill, faint=True)
            drawing.text(left + (x + 0.5) * cell, 60 + (y + 0.5) * cell, str(group), anchor="middle", size=11)
    left = 270
    offsets = {(number % 3 - 1, number // 3 - 1): tap["offset"] for number, tap in enumerate(taps)}
    assert all(offset == dy * width + dx for (dx, dy), offset in offsets.items())
    pixels = {(shown * rows + row) for row in range(rows)}
    drawing.text(left, 46, f"input words of group {shown}: rows side by side, tap by tap", size=11)
    for y in range(height):
        for x in range(width):
            number = sum(1 for dx, dy in offsets for p in pixels if (x, y) == (p % width + dx, p // width + dy))
            drawing.box(
                left + x * cell, 60 + y * cell, cell, cell, fill=COLOURS[1] if number else "#ffffff", faint=True
            )
            if number:
                drawing.text(left + (x + 0.5) * cell, 60 + (y + 0.5) * cell, str(number), anchor="middle", size=11)
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
    program = example_program()
    run = timeline(program)
    rows = [row for row in Row if any(item.row is row for item in run.slices)]
    scale = 760 / run.cycles
    layers = [step.layer for step in run.steps]
    drawing = Drawing(WIDTH, 90 + 40 * len(rows) + 22 * -(-len(layers) // 3), "One run of the digits model in time")
    drawing.text(20, 22, f"One image of the digits on the demo's core: {run.cycles:,} cycles", bold=True)
    for number, row in enumerate(rows):
        y = 44 + 40 * number
        drawing.text(100, y + 13, str(row), anchor="end")
        for item in run.slices:
            if item.row is row:
                x, size = 110 + item.begin * scale, (item.end - item.begin) * scale
                drawing.box(x, y, size, 26, fill=COLOURS[item.index % len(COLOURS)], faint=True)
    y = 44 + 40 * len(rows)
    for cycles in range(0, run.cycles, 1000):
        drawing.path([(110 + cycles * scale, y - 8), (110 + cycles * scale, y)])
        drawing.text(110 + cycles * scale, y + 9, f"{cycles:,}", anchor="middle", size=10)
    for number, step in enumerate(run.steps):
        x, place = 110 + 250 * (number % 3), y + 30 + 22 * (number // 3)
        drawing.box(x, place, 14, 14, fill=COLOURS[step.index % len(COLOURS)], faint=True)
        drawing.text(x + 20, place + 7, f"{step.layer}: {step.end - step.begin:,}", size=11)
    return drawing


def _bus(title: str, trace: traces.Trace, notes: dict[int, str]) -> Drawing:
    left, cycle = 90, 24
    length = max(len(values) for _, values in trace.values())
    drawing = Drawing(WIDTH, 72 + HEIGHT * (len(trace) + 1), title)
    drawing.text(20, 22, title, bold=True)
    for at, note in notes.items():
        drawing.text(left + at * cycle, 46, note, size=11)
        drawing.path([(left + at * cycle, 54), (left + at * cycle, 62 + HEIGHT * (len(trace) + 1))], dashed=True)
    waves(drawing, trace, left=left, top=60, cycle=min(cycle, 800 / length))
    return drawing


def axi_lite() -> Drawing:
    """AXI4-Lite at the pins."""
    trace = traces.axi()
    reads = _rises(trace["arvalid"][1])
    return _bus(
        "AXI4-Lite: a write, a read, and a read of a memory while a run is on (SLVERR)",
        trace,
        {_rises(trace["awvalid"][1])[0]: "write", reads[0]: "read", reads[1]: "refused read"},
    )


def wishbone() -> Drawing:
    """Wishbone at the pins."""
    trace = traces.wishbone()
    write, read, refused = _rises(trace["stb"][1])
    title = "Wishbone: a write, a read, and a read of a memory while a run is on (ERR)"
    return _bus(title, trace, {write: "write", read: "read", refused: "refused read"})


def bare() -> Drawing:
    """The bare port at its pins."""
    trace = traces.bare()
    first, last = _rises(trace["valid"][1])
    title = "Bare port: two writes, a read, and a read of a memory while a run is on"
    return _bus(title, trace, {first: "writes", first + 2: "read", last: "refused read"})


def _rises(values: list[int]) -> list[int]:
    return [at for at, value in enumerate(values) if value and not (at and values[at - 1])]


_SENT = {1: "start", 2: "sequence", 3: "READ", 4: "count", 8: "address", 12: "CRC-32"}
_ANSWERED = {1: "start", 2: "sequence", 3: "count", 7: "word", 8: "status", 12: "CRC-32"}


def _fields(drawing: Drawing, y: float, name: str, found: list[tuple[int, int]], fields: dict[int, str]) -> None:
    """Bytes in boxes below the names of what they are."""
    drawing.text(90, y + 14, name, anchor="end")
    size, begin = 58, 0
    for number, (_, value) in enumerate(found[: max(fields)]):
        drawing.box(98 + number * size, y, size, 28, fill=COLOURS[0], faint=True)
        drawing.text(98 + (number + 0.5) * size, y + 14, f"{value:02X}", anchor="middle")
    for end, title in fields.items():
        drawing.text(98 + (begin + end) / 2 * size, y - 10, title, anchor="middle", size=11)
        begin = end


def uart() -> Drawing:
    """The serial link over a UART."""
    trace = traces.uart()
    divisor = traces.UART_DIVISOR
    drawing = Drawing(WIDTH, 290, "Serial link over a UART: first byte, request, reply")
    drawing.text(20, 22, "UART: the request's first byte at the pin, then all bytes of request and reply", bold=True)
    line, answer = trace["rx"][1], trace["tx"][1]
    sent, answered = traces.uart_bytes(line), traces.uart_bytes(answer)
    begin, pixels = sent[0][0] - divisor, 16
    end = begin + 12 * divisor
    waves(drawing, {"rx": (1, line[begin:end])}, left=98, top=62, cycle=pixels, clock=False)
    for bit, name in enumerate(("start", *(f"bit {bit}" for bit in range(8)), "stop")):
        drawing.text(98 + (bit + 1.5) * divisor * pixels, 52, name, anchor="middle", size=11)
        drawing.path([(98 + (bit + 1) * divisor * pixels, y) for y in (46, 92)], dashed=True)
    drawing.text(98 + 11.5 * divisor * pixels, 52, "next", anchor="middle", size=11)
    _fields(drawing, 140, "rx", sent, _SENT)
    _fields(drawing, 206, "tx", answered, _ANSWERED)
    gap = answered[0][0] - sent[-1][0] - 10 * divisor
    drawing.text(98, 262, f"The reply begins {gap / divisor:g} bit times behind the request's last stop bit.", size=11)
    return drawing


def spi() -> Drawing:
    """The serial link over SPI."""
    trace = traces.spi()
    drawing = Drawing(WIDTH, 340, "Serial link over SPI: first byte, request, reply")
    drawing.text(
        20, 22, "SPI, mode 0: the request's first byte at the pins, then all bytes of one selection", bold=True
    )
    shown = {name: (1, values[:76]) for name, (_, values) in trace.items()}
    waves(drawing, shown, left=98, top=40, cycle=10, clock=False)
    sent = traces.spi_bytes(trace, "copi")
    answered = traces.spi_bytes(trace, "cipo")
    first = next(at for at, (_, value) in enumerate(answered) if value)
    _fields(drawing, 192, "copi", sent, _SENT)
    _fields(drawing, 258, "cipo", answered[first:], _ANSWERED)
    zeros = first - len(traces.REQUEST)
    drawing.text(
        98,
        314,
        f"Bytes of zeros between request and reply: {zeros}.",
        size=11,
    )
    return drawing


PICTURES: dict[str, Callable[[], Drawing]] = {
    "block_diagram": block_diagram,
    "pipeline": pipeline_stages,
    "memories": memories,
    "walk": walk,
    "run": run_of_digits,
    "axi_lite": axi_lite,
    "wishbone": wishbone,
    "bare": bare,
    "serial_uart": uart,
    "serial_spi": spi,
}
"""Pictures by the name of their file."""


def main() -> None:
    """Write all of them."""
    _FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        write_whole(_FOLDER / f"{name}.svg", draw().svg().encode())


if __name__ == "__main__":
    main()
