"""ULX3S with an LFE5U-85F and four times the units of the other core."""

from __future__ import annotations

import dataclasses

from ..hw.spec.config import AcceleratorConfig
from . import ulx3s

__all__ = ["BOARD"]

BOARD = dataclasses.replace(
    ulx3s.BOARD,
    name="ulx3s-1024",
    title="Radiona ULX3S, 85F, 1,024 units",
    clock_mhz=100,
    config=AcceleratorConfig(
        rows=8,
        columns=8,
        lanes=16,
        rescalers=8,
        act_words=8192,
        weight_words=1024,
        param_words=128,
        tree_stage=1,
        product_stage=1,
        max_pool=0,
        frame_bytes=4096,
    ),
    memories="block RAM: 64 KB of weights, 64 KB of activations; no max-pool",
)
