"""AXI4-Streams and Amaranth's: a design of one's own around a core sends frames and takes answers by streams."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth_bench import simulate
from narrows.hw.cells.interfaces import STREAM_BYTE
from narrows.hw.core import Core
from narrows.hw.ports.axi_stream import from_pins, to_pins
from narrows.hw.ports.bare_port import BARE
from narrows.hw.spec.answer import AnswerKind, answer_of, plan_answer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.feed import code_words, laid_out, plan_feed
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.layout import TensorLayout
from narrows.hw.spec.registers import Region, Register, Stream, region_address, region_stride

CONFIG = AcceleratorConfig(
    rows=1, columns=2, lanes=4, rescalers=1, act_words=64, weight_words=16, param_words=4, taps=16, blocks=8,
    instructions=4, frame_bytes=64, streams=1, host="bare",
)  # fmt: skip


class Around(wiring.Component):
    """A core between two streams."""

    def __init__(self) -> None:
        super().__init__(
            {
                "host": In(BARE),
                "frames": In(stream.Signature(STREAM_BYTE)),
                "answers": Out(stream.Signature(STREAM_BYTE)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = Core(CONFIG)
        connect(m, flipped(self.host), core.host)
        to_pins(m, self.frames, core.s_axis)
        from_pins(m, core.m_axis, self.answers)
        return m


def test_a_program_that_ends_at_once_answers_with_its_input() -> None:
    dut: Any = Around()
    layout = TensorLayout(channels=3, height=2, width=1, lanes=4, planes=1)
    plan = plan_feed(layout, (3, 2, 1), CONFIG)
    levels = np.array([3, -2, 8, 0, -4, 1]).reshape(2, 1, 3).transpose(2, 0, 1)
    codes = code_words(np.clip(np.arange(256).astype(np.int8).astype(np.int64), -4, 4), 1, CONFIG.digits)
    codes[8] = code_words([8], 1, CONFIG.digits)[0]
    frame = plan.frame(levels)
    answer = plan_answer(layout, (-8, 8), AnswerKind.BYTES, len(frame), CONFIG)
    memory = np.zeros((CONFIG.act_words, CONFIG.lanes), dtype=np.uint8)
    addresses, words = laid_out(plan.words, codes, np.pad(frame, (0, 58)), CONFIG)
    memory[addresses] = words
    right = list(answer_of(answer, memory, CONFIG))
    assert right == [3, 254, 8, 0, 252, 1]

    async def write(ctx: Any, address: int, value: int) -> None:
        for name, content in (("valid", 1), ("we", 1), ("adr", address >> 2), ("dat_w", value)):
            ctx.set(getattr(dut.host, name), content)
        await ctx.tick()
        ctx.set(dut.host.valid, 0)
        await ctx.tick()

    async def bench(ctx: Any) -> None:
        await write(ctx, region_address(CONFIG, Region.INSTRUCTIONS), Opcode.END)
        await write(ctx, Register.PROGRAM_CONFIG.offset, CONFIG.hash32)
        for region, content in ((Region.CODES, codes[:, np.newaxis]), (Region.FEED, plan.words)):
            for number, row in enumerate(content.tolist()):
                for beat, value in enumerate(row):
                    await write(ctx, region_address(CONFIG, region, number, beat), value)
        for beat, value in enumerate(answer.tolist()):
            await write(ctx, region_address(CONFIG, Region.ANSWER, 0, beat), value)
        await write(ctx, Register.STREAM.offset, Stream.ENABLE)
        ctx.set(dut.answers.ready, 1)
        for place, byte in enumerate(frame.tolist()):
            ctx.set(dut.frames.valid, 1)
            ctx.set(dut.frames.payload.byte, byte)
            ctx.set(dut.frames.payload.last, place == len(frame) - 1)
            await ctx.tick().until(dut.frames.ready)
        ctx.set(dut.frames.valid, 0)
        found = []
        for _ in range(1000):
            if ctx.get(dut.answers.valid):
                found.append(ctx.get(dut.answers.payload.byte))
                assert not ctx.get(dut.answers.payload.error)
                if ctx.get(dut.answers.payload.last):
                    break
            await ctx.tick()
        assert found == right

    assert region_stride(CONFIG, Region.ANSWER) == 32
    simulate(dut, bench)
