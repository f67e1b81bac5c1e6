"""The cycle model where its figures are plain: tiles follow each other as fast as steps or drain allow."""

from __future__ import annotations

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.cycles import ComputeTiming, Front, Walker
from narrows.hw.spec.isa import COMPUTE

CONFIG = AcceleratorConfig(rows=4, columns=4, lanes=4, rescalers=2)
DRAIN = 8
"""Cycles of the drain for a tile of CONFIG: 4 rows of 2 granules."""


def timing(blocks: list[int], tiles: int) -> ComputeTiming:
    fields = {"out_height": 1, "out_width": 4, "rows": 4, "planes": 1, "column_groups": tiles}
    return ComputeTiming(CONFIG, COMPUTE.decode(COMPUTE.encode(fields)), blocks)


@pytest.mark.parametrize(
    "blocks", [[1], [3], [3, 1], [1, 3], [6, 1], [1, 6], [2, 2, 2], [8], [6, 5], [5, 6], [9, 1, 9]]
)
def test_a_tile_more_takes_its_steps_or_as_long_as_the_drain(blocks: list[int]) -> None:
    few, more = timing(blocks, 5), timing(blocks, 6)
    steps = sum(blocks)
    assert more.busy - few.busy == steps
    (most, _), (least, _) = (each.issue(Front(0, Walker(), 0)) for each in (more, few))
    assert most.elapsed - least.elapsed == max(steps, DRAIN)
    assert most.stall_drain - least.stall_drain == max(0, DRAIN - steps)
