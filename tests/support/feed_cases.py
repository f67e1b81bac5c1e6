"""Random frames for a core's feeder: a layout, its plan, codes and bytes."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.feed import BYTES, FeedPlan, code_words, plan_feed
from narrows.hw.spec.layout import TensorLayout, Unfold
from numpy.typing import NDArray

__all__ = ["FeedCase", "feed_case"]

FRAME_BYTES = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class FeedCase:
    """A frame for a layout.

    Parameters
    ----------
    config : AcceleratorConfig
    layout : TensorLayout
    plan : FeedPlan
    levels : array of int64, shape (C, H, W)
    codes : array of uint32, shape (256,)
    frame : array of uint8, shape (C * H * W,)
    """

    config: AcceleratorConfig
    layout: TensorLayout
    plan: FeedPlan
    levels: NDArray[np.int64]
    codes: NDArray[np.uint32]
    frame: NDArray[np.uint8]

    @property
    def memory(self) -> NDArray[np.uint8]:
        """The frame in a memory that was blank."""
        memory = np.zeros(self.config.frame_bytes, dtype=np.uint8)
        memory[: len(self.frame)] = self.frame
        return memory


def feed_case(rng: random.Random) -> FeedCase:
    """A core of a random shape with a random frame for it."""
    lanes, rescalers = rng.choice([2, 4, 8, 16]), rng.choice([1, 2])
    config = AcceleratorConfig(
        rows=rng.choice([1, 2, 4]),
        columns=2,
        lanes=lanes,
        rescalers=rescalers,
        act_words=16384,
        frame_bytes=FRAME_BYTES,
        base=rng.choice(["dybit4", "int4", "int3", "dybit2"]),
        fabric=rng.choice(["ecp5", "ice40"]),
    )
    planes = rng.randint(1, min(3, config.planes))
    span = config.digits.span(planes) if planes > 1 else config.digits.reach
    low, high = max(-128, -span), min(127, span)
    fill = rng.randint(low, high)
    shape, unfold = _shape(rng), None
    channels, height, width = shape
    if rng.random() < 0.7:
        kernel = rng.randint(1, 4), rng.randint(1, 4)
        unfold = Unfold(
            channels=channels,
            height=height,
            width=width,
            kernel=kernel,
            stride=(rng.randint(1, 2), rng.randint(1, 3)),
            pad=(rng.randint(0, 2), rng.randint(0, 2)),
            dilation=(rng.randint(1, 2), rng.randint(1, 2)),
            fill=fill,
        )
        channels, height, width = channels * kernel[0] * kernel[1], rng.randint(1, 6), rng.randint(1, 6)
    phases = rng.randint(1, 3), rng.randint(1, 3)
    layout = TensorLayout(
        channels=channels,
        height=height,
        width=width,
        lanes=lanes,
        planes=planes,
        base=rng.randrange(config.act_words),
        phases=phases,
        interleaved=rng.random() < 0.5,
        gap=rng.randint(0, 3),
        line=-(-width // phases[1]) + rng.randint(0, 2),
        groups=-(-channels // lanes) + rng.randint(0, 1),
        unfold=unfold,
    )
    plan = plan_feed(layout, shape, config, zero=fill, order=rng.choice(["hwc", "chw"]))
    levels = np.array([rng.randint(low, high) for _ in range(np.prod(shape))], dtype=np.int64).reshape(shape)
    every = np.clip(np.arange(BYTES).astype(np.int8).astype(np.int64), low, high)
    return FeedCase(
        config=config,
        layout=layout,
        plan=plan,
        levels=levels,
        codes=code_words(every, planes, config.digits),
        frame=plan.frame(levels),
    )


def _shape(rng: random.Random) -> tuple[int, int, int]:
    height, width = rng.randint(1, 7), rng.randint(1, 7)
    return rng.randint(1, min(5, FRAME_BYTES // (height * width))), height, width
