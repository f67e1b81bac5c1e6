"""SMALL: the smallest core that runs random programs; on virtual boards, whose simulators take long to build."""

from __future__ import annotations

from narrows.hw.spec.config import AcceleratorConfig

__all__ = ["SMALL"]

SMALL = AcceleratorConfig(
    rows=1,
    columns=1,
    lanes=4,
    rescalers=1,
    acc_bits=32,
    act_words=1024,
    weight_words=4096,
    param_words=128,
    blocks=128,
    instructions=32,
)
