"""OperandFetch: what the cycle model takes for granted."""

from __future__ import annotations

from narrows.hw.operands import OperandFetch
from narrows.hw.spec.cycles import OPERAND_LATENCY


def test_the_cycle_model_has_the_latency() -> None:
    assert OperandFetch.LATENCY == OPERAND_LATENCY
