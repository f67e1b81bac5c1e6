"""Random tensors for a core's streams: a layout, how it is answered, and an activation memory that holds it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from narrows.hw.spec.answer import AnswerKind, plan_answer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.layout import TensorLayout
from numpy.typing import NDArray

__all__ = ["AnswerCase", "answer_case"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerCase:
    """A tensor in a core's activation memory.

    Parameters
    ----------
    config : AcceleratorConfig
    words : array of uint32, shape (5,)
        Of `Region.ANSWER`.
    kind : AnswerKind
    levels : array of int64, shape (C, H, W)
    memory : array of uint8, shape (act_words, lanes)
        Codes; random ones beside the tensor.
    """

    config: AcceleratorConfig
    words: NDArray[np.uint32]
    kind: AnswerKind
    levels: NDArray[np.int64]
    memory: NDArray[np.uint8]

    @property
    def right(self) -> list[int]:
        """Bytes of the answer, from the levels."""
        values = self.levels.transpose(1, 2, 0).reshape(-1).tolist()
        if self.kind is AnswerKind.PLACE:
            values = [values.index(max(values))]
        size = 1 if self.kind is AnswerKind.BYTES else 2
        return [byte for value in values for byte in (value & (1 << 8 * size) - 1).to_bytes(size, "little")]


def answer_case(rng: random.Random) -> AnswerCase:
    """A tensor of a random shape on a core of a random shape."""
    lanes, base = rng.choice([2, 4, 8, 16]), rng.choice(["dybit4", "int4", "int3", "dybit2", "e2m1", "int8"])
    config = AcceleratorConfig(
        rows=rng.choice([1, 2, 4]),
        columns=2,
        lanes=lanes,
        rescalers=rng.choice([1, 2]),
        act_words=1024,
        frame_bytes=256,
        streams=1,
        **({"act_base": "int8", "weight_base": "int4"} if base == "int8" else {"base": base}),
        fabric=rng.choice(["ecp5", "ice40"]),
    )
    planes = rng.randint(1, min(3, config.planes))
    digits = config.digits
    kind = rng.choice(list(AnswerKind))
    every = digits.base.levels if planes == 1 else np.arange(-digits.span(planes), digits.span(planes) + 1)
    if kind is AnswerKind.BYTES:
        every = every[(every >= 0) & (every < 256)] if rng.random() < 0.5 else every[(every >= -128) & (every < 128)]
    channels, height, width = rng.randint(1, 20), rng.randint(1, 3), rng.randint(1, 3)
    layout = TensorLayout(
        channels=channels,
        height=height,
        width=width,
        lanes=lanes,
        planes=planes,
        base=rng.randrange(config.act_words),
        interleaved=rng.random() < 0.5,
        gap=rng.randint(0, 3),
        line=width + rng.randint(0, 2),
        groups=-(-channels // lanes) + rng.randint(0, 1),
    )
    levels = np.array(rng.choices(every.tolist(), k=channels * height * width)).reshape(channels, height, width)
    codes = np.random.default_rng(rng.randrange(1 << 32))
    memory = codes.integers(0, 1 << digits.base.bits, (config.act_words, lanes), dtype=np.uint8)
    packed = layout.pack(levels, digits)
    memory[layout.addresses() % config.act_words] = packed
    words = plan_answer(layout, (int(every[0]), int(every[-1])), kind, rng.randint(1, 256), config)
    return AnswerCase(config=config, words=words, kind=kind, levels=levels, memory=memory)
