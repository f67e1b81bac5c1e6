"""A program as two files for narrows_core.py: what is written to the core's memories, and what the driver has to know.

    python docs/examples/micropython/export.py model.nrw --folder board

writes ``board/model.nrb``, a boot image (docs/boot.md), and ``board/model.json``; copy both to the microcontroller.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import narrows
from narrows.hw.spec.registers import MAGIC, Region, Register, region_address, region_beats, region_stride
from narrows.sw.runtime.boot import boot_image

__all__ = ["description", "export"]

_REGISTERS = ("MAGIC", "CONFIG", "CONTROL", "STATUS", "FAULT_INDEX", "CYCLES")


def export(program: narrows.Program, folder: Path) -> list[Path]:
    """Write both files of a program.

    Raises
    ------
    narrows.NarrowsError
        If the program moves tensors to a backing store.
    """
    compiled = program.compiled
    folder.mkdir(parents=True, exist_ok=True)
    image, told = folder / "model.nrb", folder / "model.json"
    image.write_bytes(boot_image(compiled, compiled.config))
    told.write_text(json.dumps(description(program), separators=(",", ":")), encoding="utf-8")
    return [image, told]


def description(program: narrows.Program) -> dict[str, Any]:
    """Registers, the activation memory, input and outputs."""
    compiled = program.compiled
    config, graph = compiled.config, compiled.graph
    base = config.digits.base
    entry = graph.tensors[graph.input.tensor]
    codes = config.digits.to_planes(entry.levels, compiled.layouts[entry.name].planes).T
    return {
        "magic": MAGIC,
        "config": config.hash32,
        "registers": {name.lower(): Register[name].offset for name in _REGISTERS},
        "memory": {
            "base": region_address(config, Region.ACTIVATIONS),
            "words": config.act_words,
            "beats": region_beats(config, Region.ACTIVATIONS),
            "stride": region_stride(config, Region.ACTIVATIONS),
            "lanes": config.lanes,
            "code_bits": config.code_bits,
        },
        "radix": 1 << config.digits.shift,
        "values": [int(base.decode(code % (1 << base.bits))) for code in range(1 << config.code_bits)],
        "input": _tensor(program, entry.name)
        | {"levels": entry.levels.tolist(), "codes": [int(code) for code in codes.reshape(-1)]},
        "outputs": {output.name: _tensor(program, output.tensor) for output in graph.outputs},
    }


def _tensor(program: narrows.Program, name: str) -> dict[str, Any]:
    """Shape, meaning and place of a tensor."""
    tensor, layout = program.compiled.graph.tensors[name], program.compiled.layouts[name]
    window = layout.unfold
    geometry = {key: list(getattr(window, key)) for key in ("kernel", "stride", "pad", "dilation")} if window else {}
    whole = (window.channels, window.height, window.width) if window else tensor.shape
    places = ("base", "planes", "line", "pixel_pitch", "phase_pitch", "plane_pitch", "group_pitch")
    return {
        "shape": [int(size) for size in whole],
        "stored": [layout.channels, layout.height, layout.width],
        "kernel": [1, 1],
        "stride": [1, 1],
        "pad": [0, 0],
        "dilation": [1, 1],
        "fill": int(window.fill) if window else 0,
        "phases": [int(size) for size in layout.phases],
        "range": [int(tensor.low), int(tensor.high)],
        "scale": float(tensor.scale),
        "zero": int(tensor.zero),
        **geometry,
        **{key: int(getattr(layout, key)) for key in places},
    }


def main() -> int:
    """Export a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="a compiled program (narrows compile)")
    parser.add_argument("--folder", type=Path, default=Path("board"), help="for the files (default board)")
    options = parser.parse_args()
    try:
        written = export(narrows.Program.load(options.program), options.folder)
    except narrows.NarrowsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {', '.join(map(str, written))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
