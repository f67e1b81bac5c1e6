"""safe_steps: held against a list of who writes which word when, made pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.early import front_cycles, safe_steps
from narrows.hw.spec.isa import BLOCK, BORDER_MAX, COMPUTE, TAP, BlockTaps, Mode
from narrows.hw.spec.pipeline import pipeline

CONFIG = AcceleratorConfig(rows=4, columns=4, lanes=8, rescalers=2, planes=2, act_words=4096)
IN, OUT = 100, 2000


def fields(**values: int) -> Mapping[str, int]:
    whole = {"mode": Mode.MAC, "rows": 4, "planes": 1, "out_height": 4, "out_width": 8, "column_groups": 1}
    whole |= {"channel_period": 1, "origin": IN, "origin_step": 4, "origin_line": 4, "out_base": OUT}
    whole |= {"out_dx_even": 1, "out_dx_odd": 1, "out_dy_even": 1, "out_dy_odd": 1, "out_group_pitch": 40}
    return COMPUTE.decode(COMPUTE.encode(whole | values))


def block(*offsets: int, **values: int) -> BlockTaps:
    taps = tuple(TAP.decode(TAP.encode({"offset": offset})) for offset in offsets)
    return BlockTaps(BLOCK.decode(BLOCK.encode({"groups": 1, "tap_count": len(offsets), **values})), taps)


@dataclass(frozen=True)
class Case:
    """Two COMPUTEs whose pixels lie in line order: the second reads what the first has written, or beside it."""

    config: AcceleratorConfig
    steps: int  # of a tile of the first
    height: int
    width: int
    wrap: int
    groups: int
    planes: int
    offsets: tuple[int, ...]
    mode: Mode

    @property
    def safe(self) -> int:
        """Steps before the first one that reads a word, for some row of its group, no earlier than it is written."""
        plan, drains = pipeline(self.config), self.config.tile_granules if self.mode is Mode.MAC else 1
        rows = 1 if self.mode is Mode.MAX else 4
        drain = -(-rows // self.config.drain_rows) * self.planes * drains
        through = plan.array + plan.drain if self.mode is Mode.MAC else plan.max_pool
        tiles = []  # words of each, in order
        lines = (
            [range(self.height * self.width)]
            if self.wrap
            else [range(y * self.width, (y + 1) * self.width) for y in range(self.height)]
        )
        for line in lines:
            for first in range(0, len(line), rows):
                for group in range(self.groups):
                    granules = range(group * drains, (group + 1) * drains)
                    tiles.append(
                        {
                            OUT
                            + pixel
                            + 50 * plane
                            + 40 * (granule // (1 if self.mode is Mode.MAX else self.config.granules))
                            for pixel in line[first : first + rows]
                            for plane in range(self.planes)
                            for granule in granules
                        }
                    )
        behind = plan.operands + through + plan.writer + plan.to_banks
        for number, offset in enumerate(self.offsets):
            read = front_cycles(self.config) + number + plan.access
            words = {OUT + offset + row for row in range(rows)}
            for age, written in enumerate(reversed(tiles)):
                if written & words and behind + drain - 1 - age * max(self.steps, drain) >= read:
                    return number
        return len(self.offsets) - 1


@given(
    st.builds(
        Case,
        config=st.sampled_from(
            [
                CONFIG,
                AcceleratorConfig(rows=4, columns=8, lanes=8, rescalers=2, planes=2, act_words=4096, fabric="ice40"),
                AcceleratorConfig(rows=4, columns=8, lanes=8, rescalers=2, planes=2, act_words=4096, drain_rows=2),
                AcceleratorConfig(rows=4, columns=2, lanes=8, rescalers=2, planes=2, act_words=4096, fabric="ecp5"),
            ]
        ),
        steps=st.integers(1, 40),
        height=st.integers(1, 5),
        width=st.integers(1, 8),
        wrap=st.integers(0, 1),
        groups=st.integers(1, 3),
        planes=st.integers(1, 2),
        offsets=st.lists(st.integers(-8, 130), min_size=1, max_size=40).map(tuple),
        mode=st.sampled_from(Mode),
    )
)
def test_no_step_is_safe_that_reads_what_may_still_come(case: Case) -> None:
    rows = 1 if case.mode is Mode.MAX else 4
    more = {"mode": case.mode, "rows": rows, "wrap": case.wrap, "planes": case.planes, "column_groups": case.groups}
    more |= {"out_height": case.height, "out_width": case.width, "out_plane_pitch": 50}
    # the second has one full group of pixels
    after = fields(mode=case.mode, rows=rows, origin=OUT, out_base=3500, out_height=1, out_width=rows)
    assert safe_steps(case.config, fields(**more), case.steps, after, [block(*case.offsets)]) == case.safe


def test_a_tiles_last_step_is_not_and_no_more_than_the_field_holds() -> None:
    before = fields()
    for steps, safe in ((1, 0), (2, 1), (COMPUTE["early"].high, 62), (64, 63), (200, 63)):
        assert safe_steps(CONFIG, before, 9, fields(), [block(*range(steps))]) == safe
    many = [block(*range(3), groups=4, group_pitch=5), block(7)]
    assert safe_steps(CONFIG, before, 9, fields(), many) == 12


def test_behind_another_mode_none_is() -> None:
    largest = fields(mode=Mode.MAX, rows=1)
    assert safe_steps(CONFIG, fields(), 9, largest, [block(1, 2)]) == 0
    assert safe_steps(CONFIG, largest, 9, fields(), [block(1, 2)]) == 0


def test_rows_outside_the_tensor_read_nothing() -> None:
    before = fields(out_height=1, out_width=4)
    after = fields(origin=OUT, out_base=3500, out_height=1, out_width=4)
    taps = [TAP.decode(TAP.encode({"offset": 0, side: BORDER_MAX})) for side in ("top", "left")]
    outside = BlockTaps(block(0, 0).fields, tuple(taps))
    assert safe_steps(CONFIG, before, 9, after, [outside, block(0)]) == 2
    assert safe_steps(CONFIG, before, 9, after, [block(0, 0)]) == 0


@pytest.mark.parametrize("flag", ["latch", "held", "fixed", "constant"])
def test_none_is_from_a_block_of_dynamic_weights_on(flag: str) -> None:
    blocks = [block(1, 2), block(3, 4, **{flag: 1}), block(5)]
    dynamic = AcceleratorConfig(rows=4, columns=4, lanes=8, rescalers=2, planes=2, act_words=4096, dynamic=1)
    assert safe_steps(dynamic, fields(), 9, fields(), blocks) == 2
    assert safe_steps(CONFIG, fields(), 9, fields(), blocks) == 4
