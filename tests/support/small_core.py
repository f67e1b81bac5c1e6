"""SMALL: a core with memories of a few words, for what asks more of its ports than of its arithmetic."""

from __future__ import annotations

from narrows.hw.spec.config import AcceleratorConfig

__all__ = ["SMALL"]

SMALL = AcceleratorConfig(
    rows=1,
    columns=1,
    lanes=16,
    rescalers=1,
    acc_bits=12,
    rescale_bits=2,
    planes=1,
    act_words=64,
    weight_words=16,
    param_words=8,
    taps=16,
    blocks=8,
    instructions=4,
)
