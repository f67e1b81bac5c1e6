"""Proof: while a gated core says idle, an edge of its second clock changes no register and no memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from narrows.hw.control.idle_watch import SETTLED_CYCLES
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import to_verilog
from standstill import Graph, read_netlist, stand_still

SMALL = {
    **{"rows": 1, "columns": 1, "lanes": 2, "rescalers": 1, "act_words": 64, "weight_words": 64, "param_words": 16},
    **{"taps": 16, "blocks": 8, "instructions": 8, "gated": 1},
}


_NOT_KEPT = "feeder.write_data"
"""Follows the lines of ``s_axis`` in every cycle; it is written to the frame only with a byte that is valid."""


@pytest.mark.parametrize(
    ("changes", "moving"),
    [
        ({}, []),
        ({"host": "uart"}, []),
        ({"host": "bare", "frame_bytes": 64, "streams": 1}, [_NOT_KEPT]),
    ],
    ids=["axi", "uart", "streams"],
)
def test_an_idle_core_stands_still_until_work_comes(tmp_path: Path, changes: dict[str, Any], moving: list[str]) -> None:
    config = AcceleratorConfig(**SMALL | changes)
    found = stand_still(read_netlist(to_verilog(config), tmp_path), SETTLED_CYCLES)
    assert found.moving == moving
    assert found.registers > 3000 and found.memories >= 8
    if not moving:
        assert 10 < found.settled < SETTLED_CYCLES


def test_one_that_rests_too_soon_does_not(tmp_path: Path) -> None:
    found = stand_still(read_netlist(to_verilog(AcceleratorConfig(**SMALL)), tmp_path), 4)
    assert found.moving
    assert found.settled == 4


def test_gates_that_are_equal_are_one() -> None:
    graph = Graph()
    a, b = graph.unknown(), graph.unknown()
    assert graph.both(a, graph.both(a, b)) == graph.both(b, a)
    assert graph.choose(a, b, graph.choose(a, b, b ^ 1)) == graph.choose(a, b, b ^ 1)
    assert graph.differ(a, a ^ 1) == 1
    assert graph.same(graph.either(graph.both(a, b), graph.both(a, b ^ 1)), a)
    assert not graph.same(a, b)
    assert graph.assume(graph.both(a, b ^ 1))
    assert (graph.seen(a), graph.seen(b)) == (1, 0)
