"""OutputWriter: where every granule and word goes, and their checksum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth_bench import pack, simulate
from narrows.hw.drain.writer import OutputWriter
from narrows.hw.spec.checksum import checksum, fold
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import COMPUTE
from narrows.hw.spec.pipeline import pipeline

CONFIGS = [
    AcceleratorConfig(rows=4, columns=4, lanes=8, rescalers=2, act_words=256),
    AcceleratorConfig(rows=3, columns=1, lanes=2, rescalers=1, act_words=64),
    AcceleratorConfig(rows=2, columns=8, lanes=8, rescalers=8, act_words=1024),
    AcceleratorConfig(rows=4, columns=12, lanes=16, rescalers=4, act_words=512),
]


def random_fields(rng: np.random.Generator, config: AcceleratorConfig) -> dict[str, int]:
    steps = {name: int(rng.integers(-200, 200)) for name in ("out_dx_even", "out_dx_odd", "out_dy_even", "out_dy_odd")}
    return steps | {
        "opcode": 1,
        "wrap": int(rng.integers(2)),
        "planes": int(rng.integers(1, 4)),
        "rows": int(rng.integers(1, config.rows + 1)),
        "column_groups": int(rng.integers(1, 5)),
        "out_height": int(rng.integers(1, 5)),
        "out_width": int(rng.integers(1, 7)),
        "out_base": int(rng.integers(config.act_words)),
        "out_granule": int(rng.integers(config.granules)),
        "out_plane_pitch": int(rng.integers(300)),
        "out_group_pitch": int(rng.integers(300)),
    }


def pixel_groups(f: dict[str, int]) -> list[list[tuple[int, int]]]:
    pixels = [(y, x) for y in range(f["out_height"]) for x in range(f["out_width"])]
    lines = [pixels] if f["wrap"] else [pixels[i : i + f["out_width"]] for i in range(0, len(pixels), f["out_width"])]
    return [line[i : i + f["rows"]] for line in lines for i in range(0, len(line), f["rows"])]


def pixel_offset(f: dict[str, int], y: int, x: int) -> int:
    across = [f["out_dx_odd"] if i % 2 else f["out_dx_even"] for i in range(f["out_width"] - 1)]
    down = [f["out_dy_odd"] if i % 2 else f["out_dy_even"] for i in range(y)]
    return y * sum(across) + sum(down) + sum(across[:x])


def writes(f: dict[str, int], config: AcceleratorConfig, whole: bool) -> list[tuple[int, int, dict[str, int]]]:
    """(address, granule of the word, flags) of every write in order, as the contract places them."""
    found = []
    granules = 1 if whole else config.tile_granules
    for group in pixel_groups(f):
        for cg in range(f["column_groups"]):
            for row, (y, x) in enumerate(group):
                for j in range(granules):
                    q = cg * config.granules if whole else f["out_granule"] + cg * granules + j
                    for d in range(f["planes"]):
                        address = (
                            f["out_base"]
                            + pixel_offset(f, y, x)
                            + d * f["out_plane_pitch"]
                            + q // config.granules * f["out_group_pitch"]
                        )
                        plane_end = d == f["planes"] - 1
                        row_end = plane_end and j == granules - 1
                        flags = {
                            "valid": 1,
                            "pixel_planes": int(plane_end),
                            "row": int(row_end),
                            "tile": int(row_end and row == len(group) - 1),
                        }
                        found.append((address % config.act_words, q % config.granules, flags))
    return found


@pytest.mark.parametrize("whole", [False, True], ids=["granules", "whole words"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.columns}x{c.lanes}-R{c.rescalers}")
def test_every_write_goes_where_the_contract_says(config: AcceleratorConfig, whole: bool) -> None:
    dut: Any = OutputWriter(config)
    rng = np.random.default_rng(config.lanes)
    cases = [random_fields(rng, config) for _ in range(8)]
    if whole:
        cases = [case | {"rows": 1} for case in cases]
    bits = config.act_word_bits if whole else 4 * config.rescalers

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        ctx.set(dut.instruction.is_max, int(whole))
        given = dut.words if whole else dut.granules
        for fields in cases:
            expected, got, data = writes(fields, config, whole), [], []
            ends: list[int] = []  # by cycle
            ctx.set(dut.instruction.run, 0)
            ctx.set(dut.instruction.fields.as_value(), pack(COMPUTE.encode(fields), 32))
            await ctx.tick()
            ctx.set(dut.instruction.run, 1)
            await ctx.tick()
            queue = iter(expected)
            idle = int(rng.choice([0, 40]))
            for _ in range(len(expected) * 2 + 40):
                flags = next(queue, None) if rng.integers(100) >= idle else None
                if flags is None:
                    ctx.set(given.flags.valid, 0)
                else:
                    for name, value in flags[2].items():
                        ctx.set(given.flags[name], value)
                    data.append(pack(rng.integers(0, 16, bits // 4), 4))
                    ctx.set(given.codes, data[-1])
                ends.append(ctx.get(dut.tile_ends))
                await ctx.tick()
                assert ctx.get(dut.writes[0].valid) == int(ctx.get(dut.writes[0].enable) > 0)
                if ctx.get(dut.writes[0].valid):
                    write = (ctx.get(getattr(dut.writes[0], part)) for part in ("address", "enable", "data"))
                    got.append((*write, ends[-pipeline(config).writer]))
            copies = 1 if whole else config.granules
            assert got == [
                (
                    address,
                    (1 << config.granules) - 1 if whole else 1 << granule,
                    sum(word << (bits * copy) for copy in range(copies)),
                    flags["tile"],
                )
                for (address, granule, flags), word in zip(expected, data, strict=True)
            ], fields
            await ctx.tick().repeat(pipeline(config).checksum)
            assert ctx.get(dut.checksum) == checksum(fold(np.array(data, dtype=object), bits)), fields

    simulate(dut, bench)


@pytest.mark.parametrize(("rows", "columns"), [(2, 4), (2, 8), (4, 4), (4, 12)])
def test_several_rows_leave_side_by_side(rows: int, columns: int) -> None:
    config = AcceleratorConfig(rows=5, columns=columns, lanes=8, rescalers=4, drain_rows=rows, act_words=256)
    dut: Any = OutputWriter(config)
    rng = np.random.default_rng(rows)
    bits = 4 * config.rescalers
    mask = (1 << bits) - 1

    def ports(ctx: Any) -> list[tuple[int, ...] | None]:
        every = [tuple(ctx.get(getattr(port, part)) for part in ("address", "enable", "data")) for port in dut.writes]
        return [write if write[1] else None for write in every]

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        for _ in range(12):
            fields = random_fields(rng, config)
            ctx.set(dut.instruction.run, 0)
            ctx.set(dut.instruction.fields.as_value(), pack(COMPUTE.encode(fields), 32))
            await ctx.tick()
            ctx.set(dut.instruction.run, 1)
            await ctx.tick()
            single = iter(writes(fields, config, False))
            each = config.tile_granules * fields["planes"]
            queue, words = [], []
            for count in (len(group) for group in pixel_groups(fields) for _ in range(fields["column_groups"])):
                tile = [[next(single) for _ in range(each)] for _ in range(count)]
                for first in range(0, count, rows):
                    queue += zip(*tile[first : first + rows], strict=True)
            expected, got = [], []
            for together in queue:
                codes = rng.integers(0, 16, rows * config.rescalers)
                ctx.set(dut.granules.flags.beside, (1 << (len(together) - 1)) - 1)
                for name, value in together[-1][2].items():
                    ctx.set(dut.granules.flags[name], value)
                ctx.set(dut.granules.codes, word := pack(codes, 4))
                parts = [word >> (bits * row) & mask for row in range(len(together))]
                words += parts
                leave = [
                    (place[0], 1 << place[1], part * sum(1 << (bits * copy) for copy in range(config.granules)))
                    for place, part in zip(together, parts, strict=True)
                ]
                expected.append(leave + [None] * (rows - len(leave)))
                await ctx.tick()
                got.append(ports(ctx))
            ctx.set(dut.granules.flags.valid, 0)
            for _ in range(pipeline(config).writer - 1):
                await ctx.tick()
                got.append(ports(ctx))
            assert [write for write in got if write[0]] == expected, fields
            await ctx.tick().repeat(pipeline(config).checksum)
            assert ctx.get(dut.checksum) == checksum(fold(np.array(words, dtype=object), bits)), fields

    simulate(dut, bench)


def test_a_write_leaves_after_the_latency() -> None:
    config = CONFIGS[0]
    dut: Any = OutputWriter(config)
    latency = pipeline(config).writer

    async def bench(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        fields = {"opcode": 1, "planes": 1, "rows": 1, "out_height": 1, "out_width": 1, "column_groups": 1}
        ctx.set(dut.instruction.fields.as_value(), pack(COMPUTE.encode(fields), 32))
        ctx.set(dut.instruction.run, 1)
        await ctx.tick()
        for name in ("valid", "pixel_planes", "row", "tile"):
            ctx.set(dut.granules.flags[name], 1)
        assert ctx.get(dut.tile_ends)
        for cycle in range(1, latency + 1):
            await ctx.tick()
            ctx.set(dut.granules.flags.valid, 0)
            assert not ctx.get(dut.tile_ends)
            assert ctx.get(dut.writes[0].enable) == int(cycle == latency)

    simulate(dut, bench)
