"""Campaign: frames in a row on simulated cores, by every port, against the golden model and, on streams, the ISA model.

    python bench/frames.py --frames 1000 --json build/frames.json
    python bench/frames.py --only stream-axi --frames 100

A row is a core of 2 x 2 x 4 units with a random program. By a host's port each frame is written while the one before
runs; handshakes stall at random, on UART and SPI noise breaks some requests. By streams a tenth of the frames is too
short or too long, frames and answers wait at random; every frame must be answered, in its order.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.results import write_json
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from frame_batch import check_frames, check_streams
from frame_cores import FRAME_CORE

_HOST: dict[str, dict[str, float]] = {
    "axi": {"stall": 100},
    "wishbone": {"stall": 100},
    "bare": {"stall": 100},
    "uart": {"noise": 5e-7},
    "spi": {"noise": 5e-7},
}
_STREAM: dict[str, dict[str, Any]] = {
    "axi": {"stalls": (60, 60), "host_stall": 60},
    "wishbone": {"stalls": (0, 240), "kind": AnswerKind.PLACE},
    "bare": {"stalls": (240, 0), "kind": AnswerKind.WORDS},
}
_PROGRAM = 4
_console = Console(highlight=False)


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="Rows: way, frames, cycles, errors.")] = None,
    frames: Annotated[int, typer.Option(min=1)] = 1000,
    only: Annotated[list[str] | None, typer.Option(metavar="WAY-PORT", help="Such as host-uart, stream-axi.")] = None,
) -> None:
    """Run every way; an assertion names the first difference."""
    rows = []
    ways = [*(("host", port) for port in _HOST), *(("stream", port) for port in _STREAM)]
    for way, port in ways:
        if only and f"{way}-{port}" not in only:
            continue
        if way == "host":
            config = AcceleratorConfig(**FRAME_CORE | {"host": port})
            row = {"cycles": check_frames(config, seeds=(_PROGRAM,), frames=frames, host=_HOST[port]), "errors": 0}
        else:
            config = AcceleratorConfig(**FRAME_CORE | {"host": port, "streams": 1})
            row = check_streams(config, seed=_PROGRAM, frames=frames, wrong=0.1, **_STREAM[port])
        rows.append({"way": way, "port": port, "frames": frames, "cycles": row["cycles"], "errors": row["errors"]})
        _console.print(
            f"{way} {port}: {frames:,} frames, {row['errors']} wrong ones, {row['cycles']:,} cycles, 0 differ"
        )
        if json_file is not None:
            write_json(json_file, {"rows": rows})


if __name__ == "__main__":
    typer.run(main)
