"""Random graphs with products of two tensors, and cores that can run them."""

from __future__ import annotations

import dataclasses

from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.quantised import HeldSegment
from random_graphs import CONFIGS, SAME, GraphBuilder, random_levels_of_weights

__all__ = ["PRODUCT_CONFIGS", "held_segment", "random_products"]

_NAMES = (
    *("square", "three rows", "more columns", "more lanes", "odd columns", "two rows drained", "single"),
    *("fetched late", "one port", "tables", "e2m1", "int4", "int3", "ternary", "spread, without pairs"),
)
PRODUCT_CONFIGS: dict[str, AcceleratorConfig] = {
    name: dataclasses.replace(CONFIGS[name], dynamic=1, blocks=1024, weight_words=8192) for name in _NAMES
}


def held_segment(build: GraphBuilder, source: str, held: str, *, depthwise: bool) -> HeldSegment:
    """A product of two tensors of a graph under construction."""
    shapes = build.tensors[source].shape, build.tensors[held].shape
    weights = HeldSegment.blank(*shapes, depthwise=depthwise)
    return HeldSegment(source=source, held=held, weights=weights, depthwise=depthwise)


def random_products(build: GraphBuilder, layers: int):
    """A graph of random layers, one after the other, each a product of what the one before gave."""
    rng = build.rng
    source = build.tensor((int(rng.integers(1, 20)), *(int(v) for v in rng.integers(1, 7, 2))))
    for _ in range(layers):
        source = _random_product(build, source)
    return build.graph([source])


def _random_product(build: GraphBuilder, source: str) -> str:
    rng = build.rng
    channels, *size = build.tensors[source].shape
    levels = random_levels_of_weights(rng, build.config.weight_digits.base.levels)

    def beside(outputs: int, pixels=size, **geometry) -> str:
        """Another tensor made of the source: convolved, or all its pixels together."""
        return build.mac([build.segment(source, outputs, levels=levels, **geometry)], pixels)

    match rng.choice(["gate", "squeeze", "matrix", "square", "cell", "attend"]):
        case "gate":
            segments = [held_segment(build, source, beside(channels, **SAME), depthwise=True)]
        case "squeeze":
            one = beside(channels, (1, 1), kernel=tuple(size))
            segments = [held_segment(build, source, one, depthwise=True)]
        case "square":
            segments = [held_segment(build, source, source, depthwise=True)]
        case "cell":  # two products and a sum, as in an LSTM
            one, other = beside(channels, **SAME), beside(channels)
            segments = [
                held_segment(build, source, one, depthwise=True),
                build.segment(source, None, levels=levels),
                held_segment(build, one, other, depthwise=True),
            ]
        case "matrix":
            stride = tuple(int(v) for v in rng.integers(1, 3, 2))
            pixels = tuple(-(-extent // step) for extent, step in zip(size, stride, strict=True))
            segments = [held_segment(build, source, beside(channels, pixels, stride=stride), depthwise=False)]
        case _:  # scores of a tensor with itself, and a bias that is learned
            segments = [held_segment(build, source, source, depthwise=False)]
            segments.append(build.segment(source, size[0] * size[1], levels=levels))
    return build.mac(segments, size)
