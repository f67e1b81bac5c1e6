"""Feed: a program's input as the bytes of a frame that a core lays out itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.feed import BYTES, FeedError, FeedPlan, code_words, feed_words, plan_feed
from ...hw.spec.registers import Region
from ..program import Program

__all__ = ["Feed", "feed_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Feed:
    """How a core is fed with a program's input: a level's low byte stands for that level.

    Parameters
    ----------
    plan : FeedPlan
    levels : array of int64, shape (n,)
        Levels that have a byte, at most 256.
    codes : array of uint32, shape (256,)
        What each byte stands for.
    """

    plan: FeedPlan
    levels: NDArray[np.int64]
    codes: NDArray[np.uint32]

    @property
    def memories(self) -> dict[Region, NDArray[np.uint32]]:
        """Contents of the feeder's memories, a word of the region a row."""
        return {Region.CODES: self.codes[:, np.newaxis], Region.FEED: self.plan.words}

    def frame_words(self, levels: NDArray[np.int64]) -> NDArray[np.uint32] | None:
        """Words of the frame for levels of shape (C, H, W); None if one of these has no byte."""
        return feed_words(self.plan.frame(levels)) if np.isin(levels, self.levels).all() else None


def feed_of(program: Program, config: AcceleratorConfig) -> Feed | None:
    """How a core is fed with a program's input; None where the host has to lay it out: there is no frame memory, or it
    is too small, or the input has more than 256 levels or planes than a feeder writes, or lies in the backing store."""
    tensor = program.graph.tensors[program.graph.input.tensor]
    layout = program.layouts[tensor.name]
    if tensor.name in program.external or tensor.high - tensor.low >= BYTES:
        return None
    try:
        plan = plan_feed(layout, tensor.shape, config, zero=tensor.zero)
    except FeedError:
        return None
    base = config.digits.base.levels
    span = config.digits.span(layout.planes)
    every = np.arange(tensor.low, tensor.low + BYTES)
    levels = every[np.isin(every, base) if layout.planes == 1 else np.abs(every) <= span]
    codes = np.zeros(BYTES, dtype=np.uint32)
    codes[levels & 0xFF] = code_words(levels, layout.planes, config.digits)
    return Feed(plan=plan, levels=levels, codes=codes)
