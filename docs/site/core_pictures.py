"""Pictures of the core: its units, the stages between them, its memories."""

from __future__ import annotations

import dataclasses

from drawing import BLUE, CYAN, GREEN, PAPER, RED, YELLOW, Drawing, colour
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.pipeline import Pipeline, pipeline
from narrows.hw.spec.registers import Region, region_depth, region_word_bits

__all__ = ["BLOCKS", "COMPUTE_BLOCKS", "block_diagram", "memories", "pipeline_stages"]

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


def block_diagram() -> Drawing:
    """Units of a core as `Core` and `ComputeUnit` wire them."""
    drawing = Drawing(
        500,
        "Block diagram: host's side, sequencer, compute unit, memories",
        "The core: control above, a COMPUTE from left to right below, memories last",
    )
    drawing.box(12, 225, 876, 175, fill=CYAN, faint=True)
    drawing.text(20, 238, "compute", size=11, bold=True)
    widths = {"host": 100, "writer": 88, **dict.fromkeys(_MEMORIES, 80)}
    for places, fill in ((BLOCKS, BLUE), (COMPUTE_BLOCKS, GREEN)):
        for name, (x, y, title, note) in places.items():
            size = widths.get(name, 110)
            memory = name in _MEMORIES or note == "memory"
            drawing.box(x, y, size, 50, fill=YELLOW if memory else fill, faint=True)
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
        [(440, 190), (440, 212), (205, 212), (205, 248)],
        [(75, 300), (75, 320), (290, 320), (290, 302)],
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
    drawing = Drawing(
        250,
        "Pipeline from a step to the word written, by family",
        "From a step to the word written: cycles of each stage, medium core",
    )
    families = {"iCE40": "ice40", "ECP5": "ecp5", "7 series": "xilinx"}
    machines = {name: dataclasses.replace(PRESETS["medium"], fabric=fabric) for name, fabric in families.items()}
    scale = 750 / max(_length(pipeline(machine)) for machine in machines.values())
    y = 45.0
    for name, machine in machines.items():
        stages, x = pipeline(machine), 90.0
        drawing.text(80, y + 16, name, anchor="end", bold=True)
        for number, (_, stage) in enumerate(_STAGES):
            if cycles := getattr(stages, stage):
                drawing.labelled(x, y, cycles * scale, 32, str(cycles), fill=colour(number))
                x += cycles * scale
        drawing.text(x + 6, y + 16, f"= {_length(stages)}")
        y += 46
    x, y = 90.0, y + 10
    for number, (title, _) in enumerate(_STAGES):
        drawing.key(x + 130 * (number % 6), y + 24 * (number // 6), number, f"{number + 1}. {title}")
    return drawing


def _length(stages: Pipeline) -> int:
    return sum(getattr(stages, stage) for _, stage in _STAGES)


def memories() -> Drawing:
    """Sizes of a core's memories; where activation words lie, and which of them one step reads."""
    core = dataclasses.replace(PRESETS["demo"], tables=1, frame_bytes=1024, streams=1)
    regions = [region for region in Region if region is not Region.REGISTERS and region_depth(core, region)]
    first, lines, wide = 6, 4, 140
    heading = f"{core.banks} banks: word A lies in bank A % {core.banks}; a step reads {core.rows} neighbours"
    drawing = Drawing(340 + 26 * len(regions), "Memories: sizes, banks, words", f"{heading}, here from {first} on")
    for bank in range(core.banks):
        drawing.text(80 + bank * wide + wide / 2, 48, f"bank {bank}", anchor="middle", bold=True)
        for line in range(lines):
            address = line * core.banks + bank
            read = first <= address < first + core.rows
            drawing.box(80 + bank * wide, 60 + 30 * line, wide, 30, fill=RED if read else PAPER, faint=read)
            row = f" for row {address - first}" if read else ""
            drawing.text(80 + bank * wide + wide / 2, 75 + 30 * line, f"word {address}{row}", anchor="middle", size=11)
    bits, y, size = core.code_bits, 225, 70
    drawing.text(80, y - 14, f"A word: {core.lanes} lanes, a code of {bits} bits for one channel each", size=11)
    for lane in range(core.lanes):
        places = f"{bits * lane + bits - 1}:{bits * lane}"
        drawing.labelled(80 + lane * size, y, size, 28, places, fill=(BLUE, RED)[lane // core.rescalers % 2])
    note = f"a drain writes granules of {core.rescalers} codes"
    drawing.text(80 + core.lanes * size + 10, y + 14, note, size=11)
    drawing.text(
        20,
        290,
        "All memories of the demo's core, with a table, frames of 1,024 bytes and streams: words x bits",
        bold=True,
    )
    sizes = {region: (region_depth(core, region), region_word_bits(core, region)) for region in regions}
    most = max(words * bits for words, bits in sizes.values())
    for number, (region, (words, bits)) in enumerate(sizes.items()):
        y, long = 314 + 26 * number, max(2.0, 480 * words * bits / most)
        drawing.text(150, y + 9, region.name.lower(), anchor="end")
        drawing.box(160, y, long, 18, fill=colour(number), faint=True)
        drawing.text(170 + long, y + 9, f"{words:,} x {bits} = {words * bits / 1024:,.3g} Kibit")
    return drawing
