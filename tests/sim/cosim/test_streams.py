"""Streams at simulated cores: every frame gets its answer, in order, whoever waits for whom, and whatever is broken."""

from __future__ import annotations

from typing import Any

import pytest
from frame_batch import check_streams
from frame_cores import FRAME_CORE
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.config import AcceleratorConfig


@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({}, {"seed": 3}),
        ({"host": "wishbone"}, {"seed": 4, "kind": AnswerKind.PLACE, "stalls": (100, 0)}),
        ({"host": "bare", "fabric": "ice40"}, {"seed": 3, "stalls": (0, 250), "kind": AnswerKind.WORDS}),
        ({"backing": "axi4"}, {"seed": 4, "stalls": (60, 60), "host_stall": 120}),
    ],
    ids=["axi", "wishbone", "bare-ice40", "axi-backing"],
)
def test_every_frame_is_answered_in_its_order(changes: dict[str, Any], arguments: dict[str, Any]) -> None:
    found = check_streams(
        AcceleratorConfig(**FRAME_CORE | {"streams": 1} | changes), frames=24, wrong=0.25, **arguments
    )
    assert found["answers"] == 24
    assert found["errors"] > 0
