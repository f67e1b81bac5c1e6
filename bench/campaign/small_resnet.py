"""small_resnet: a network of the kinds of layers that ResNet-8 has, in a ninth of its cycles."""

from __future__ import annotations

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.quantised import QuantisedGraph
from random_graphs import NATIVE_LEVELS, SAME, GraphBuilder

__all__ = ["SMALL_CORE", "small_resnet"]

SMALL_CORE = AcceleratorConfig(
    rows=2, columns=4, lanes=4, rescalers=2, acc_bits=26, rescale_bits=6, act_words=1024, weight_words=2048,
    param_words=64, taps=128, blocks=128, instructions=64,
)  # fmt: skip
"""A core that holds all of it."""


def small_resnet(config: AcceleratorConfig, seed: int) -> QuantisedGraph:
    """A stem, a residual block, one with stride 2 and a branch of 1 x 1, the average of all pixels and a dense layer,
    on 8 x 8 pixels of three channels, with random weights."""
    build = GraphBuilder(config, np.random.default_rng(seed))
    whole, half, levels = (8, 8), (4, 4), NATIVE_LEVELS

    def convolved(source: str, channels: int, size: tuple[int, int]) -> str:
        return build.mac([build.segment(source, channels, **SAME, levels=levels)], size)

    stem = convolved(build.tensor((3, *whole)), 8, whole)
    inner = build.segment(convolved(stem, 8, whole), 8, **SAME, levels=levels)
    first = build.mac([inner, build.segment(stem, None, levels=[8])], whole)
    halved = build.mac([build.segment(first, 16, **SAME, stride=(2, 2), levels=levels)], half)
    branch = build.segment(first, 16, stride=(2, 2), levels=levels)
    second = build.mac([build.segment(halved, 16, **SAME, levels=levels), branch], half)
    return build.graph([build.mac([build.segment(build.average(second), 10, levels=levels)], (1, 1))])
