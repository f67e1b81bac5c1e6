"""Cycles in which a board's core lays a frame of ResNet-8's out (docs/feeder.md).

    python bench/feeder.py --board ulx3s --json feeder.json

Simulates the feeder alone, with the loops that the driver writes for the zoo's program on that board's core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from amaranth.sim import Simulator
from narrows.boards.catalogue import find_board
from narrows.hw.feed.feeder import Feeder
from narrows.sw.compile import compile_graph
from narrows.sw.program import Program
from narrows.sw.results import write_json
from narrows.sw.runtime.feed import feed_of
from rich.console import Console

TRAINED = Path(__file__).parent / "quantisation" / "zoo" / "resnet8-dybit4-p16-k4.nrw"


def main(
    board: Annotated[str, typer.Option("--board", help="With a frame memory.")] = "ulx3s",
    json: Annotated[Path | None, typer.Option("--json", help="Write the row.")] = None,
) -> None:
    """Measure one frame."""
    config = find_board(board).config
    feed = feed_of(compile_graph(Program.load(TRAINED).graph, config), config)
    if feed is None:
        raise typer.BadParameter(f"the core of {board} lays no such frame out")
    row = {"board": board, "frame_bytes": feed.plan.frame_bytes, "cycles": _cycles(Feeder(config), feed.plan.words)}
    write_json(json, [row])
    Console().print(row)


def _cycles(dut: Any, entries: Any) -> int:
    """Cycles of ``busy``."""
    found = 0

    async def bench(ctx: Any) -> None:
        nonlocal found
        for offset, word in enumerate(entries.reshape(-1).tolist()):
            ctx.set(dut.feed.enable, 1)
            ctx.set(dut.feed.offset, offset)
            ctx.set(dut.feed.data, word)
            await ctx.tick()
        ctx.set(dut.feed.enable, 0)
        ctx.set(dut.feeding.go, 1)
        await ctx.tick()
        ctx.set(dut.feeding.go, 0)
        found = 1
        while not ctx.get(dut.feeding.ended):
            await ctx.tick()
            found += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


if __name__ == "__main__":
    typer.run(main)
