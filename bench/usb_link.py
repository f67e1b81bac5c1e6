"""Bytes a second of a core's own port on USB, at the pins.

    python bench/usb_link.py --json usb_link.json

Simulates the ULX3S with a small core and its own USB port (`narrows board simulate --link usb`), whose host has no
pauses but those of this process: simulated time goes on while it thinks, so that the quickest of ``--tries`` counts.
Writes and reads ``--words`` words, with one request after the other and with requests in flight, and compares what was
read. A bit is 8 cycles of a core of 96 MHz; frames are shorter than USB's 1 ms, so that more of them begin: bytes a
second are a little more in truth.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from narrows.boards.catalogue import find_board
from narrows.boards.simulation import USB_DIVISOR, virtual_board
from narrows.hw.spec.registers import Region, region_address
from narrows.sim.board import VirtualBoard
from narrows.sw.results import write_json
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.serial_line import open_port
from narrows.sw.runtime.serial_transport import SerialTransport

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from small_core import SMALL

_BIT_HZ = 12_000_000
_BELIEVED_BAUD = 4800  # timeouts that suit the simulation
_CORE = dataclasses.replace(SMALL, frame_bytes=1024)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Words one way, and what their bytes took."""

    way: str
    in_flight: bool
    words: int
    mismatches: int
    bits_a_byte: float
    bytes_a_second: float


def main(
    words: Annotated[int, typer.Option("--words", min=1, max=1024, help="Words each way.")] = 1000,
    tries: Annotated[int, typer.Option("--tries", min=1, help="Of which the quickest counts.")] = 5,
    json: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Measure; status 1 if a word is not the one written."""
    board = dataclasses.replace(find_board("ulx3s"), link="usb").with_config(_CORE)
    rows = []
    with virtual_board(board, divisor=4) as virtual:
        for in_flight in (False, True):
            line = open_port(str(virtual.port), baud=_BELIEVED_BAUD, holds_back=in_flight)
            link = run_sync(SerialTransport.open(line))
            rows += _measured(virtual, link, words, tries, in_flight)
    write_json(json, [asdict(row) for row in rows])
    for row in rows:
        how = "requests in flight" if row.in_flight else "one request after the other"
        speed = f"{row.bits_a_byte:.2f} bits a byte, {row.bytes_a_second:,.0f} bytes a second"
        typer.echo(f"{row.way}, {how}: {speed}, {row.mismatches} words differ")
    if any(row.mismatches for row in rows):
        raise typer.Exit(1)


def _measured(virtual: VirtualBoard, link: SerialTransport, count: int, tries: int, in_flight: bool) -> list[Row]:
    place, rng = region_address(_CORE, Region.ACTIVATIONS), np.random.default_rng(1)
    taken: dict[str, list[int]] = {"write": [], "read": []}
    wrong = 0

    def timed(way: str, action: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        before = virtual.cycles()
        result = run_sync(action())
        taken[way].append(virtual.cycles() - before)
        return result

    for _ in range(tries):
        values = rng.integers(0, 1 << 16, count, dtype=np.uint32)  # an activation word of this core
        timed("write", lambda values=values: link.write(place, values))
        wrong += int((timed("read", lambda: link.read(place, count)) != values).sum())
    rows = []
    for way, cycles in taken.items():
        bits = min(cycles) / (4 * count) / USB_DIVISOR
        rows.append(
            Row(
                way=way,
                in_flight=in_flight,
                words=count,
                mismatches=wrong,
                bits_a_byte=bits,
                bytes_a_second=_BIT_HZ / bits,
            )
        )
    return rows


if __name__ == "__main__":
    typer.run(main)
