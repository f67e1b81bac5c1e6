"""StreamServer: memories are closed to the host for a while before a frame is run."""

from __future__ import annotations

from typing import Any

from amaranth_bench import simulate
from narrows.hw.serve.server import StreamServer
from narrows.hw.spec.config import AcceleratorConfig


def test_memories_are_closed_for_twelve_cycles_before_a_run() -> None:
    dut: Any = StreamServer(AcceleratorConfig(frame_bytes=64, streams=1))

    async def bench(ctx: Any) -> None:
        ctx.set(dut.streaming.enable, 1)
        ctx.set(dut.frames.payload.last, 1)
        ctx.set(dut.frames.valid, 1)  # a frame of one byte
        await ctx.tick()
        ctx.set(dut.frames.valid, 0)
        closed = []
        for _ in range(40):
            closed.append(ctx.get(dut.occupied))
            if ctx.get(dut.run.start):
                break
            await ctx.tick()
        assert ctx.get(dut.run.start) and ctx.get(dut.run.feed)
        assert sum(closed) == 12 and closed == sorted(closed)

    simulate(dut, bench)
