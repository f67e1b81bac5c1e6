"""Serving: a program's frames and answers as the bytes of a core's streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...hw.spec.answer import ANSWER, ANSWER_BYTES, AnswerError, AnswerKind, plan_answer
from ...hw.spec.config import AcceleratorConfig
from ..errors import InputError
from ..program import Program
from .feed import Feed, feed_of

__all__ = ["Serving", "serving_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Serving:
    """How a core serves a program from streams.

    Parameters
    ----------
    feed : Feed
    answer : array of uint32, shape (5,)
        The word of `Region.ANSWER`.
    kind : AnswerKind
    shape : tuple of int
        Of the tensor that is answered: (C, H, W).
    low : int
        Its lowest level.
    """

    feed: Feed
    answer: NDArray[np.uint32]
    kind: AnswerKind
    shape: tuple[int, int, int]
    low: int

    @property
    def answer_bytes(self) -> int:
        """Bytes of an answer."""
        count = 1 if self.kind is AnswerKind.PLACE else int(np.prod(self.shape))
        return count * ANSWER_BYTES[self.kind]

    def frame(self, levels: ArrayLike) -> bytes:
        """Bytes of a frame for levels of shape (C, H, W) of the input; InputError if one of these has no byte."""
        levels = np.asarray(levels)
        if not np.isin(levels, self.feed.levels).all():
            raise InputError(f"the input's levels are {self.feed.levels[0]} to {self.feed.levels[-1]}")
        return self.feed.plan.frame(levels).tobytes()

    def given(self, answer: bytes) -> NDArray[np.int64] | int:
        """What an answer says: levels of shape (C, H, W), or the place of the largest of them, with the channels of a
        pixel side by side; InputError if it has another length."""
        if len(answer) != self.answer_bytes:
            raise InputError(f"an answer has {self.answer_bytes} bytes, not {len(answer)}")
        if self.kind is AnswerKind.PLACE:
            return int.from_bytes(answer, "little")
        kinds = {AnswerKind.BYTES: "i1" if self.low < 0 else "u1", AnswerKind.WORDS: "<i2"}
        channels, height, width = self.shape
        values = np.frombuffer(answer, dtype=kinds[self.kind]).astype(np.int64)
        return values.reshape(height, width, channels).transpose(2, 0, 1)


def serving_of(
    program: Program, config: AcceleratorConfig, kind: AnswerKind | None = None, *, tensor: str | None = None
) -> Serving:
    """How a core serves a program.

    Parameters
    ----------
    program : Program
    config : AcceleratorConfig
        Of the core.
    kind : AnswerKind, optional
        How answers are given; without it as levels, in as few bytes as these need.
    tensor : str, optional
        What is answered; without it the model's only output.

    Raises
    ------
    InputError
        If only a host can serve it; the message says why.
    """
    if not config.streams:
        raise InputError("the core has no streams: generate it with streams = 1 and frame_bytes")
    feed = feed_of(program, config)
    if feed is None:
        raise InputError(
            "the core cannot lay the program's input out: that is larger than frame_bytes, has more than 256 levels, "
            "or lies in the backing store"
        )
    tensors = program.graph.output_tensors
    if tensor is None and len(tensors) > 1:
        raise InputError(f"a stream answers with one tensor: choose one of {', '.join(tensors)}")
    name = next(iter(tensors)) if tensor is None else tensor
    if name not in tensors:
        raise InputError(f"the model gives no {name}: choose one of {', '.join(tensors)}")
    if name in program.external:
        raise InputError(f"{name} lies in the backing store: only a host can read it")
    described = program.graph.tensors[name]
    try:
        answer = plan_answer(
            program.layouts[name], (described.low, described.high), kind, feed.plan.frame_bytes, config
        )
    except AnswerError as error:
        raise InputError(f"{name}: {error}") from error
    kind = AnswerKind(ANSWER.decode(answer.tolist())["kind"])
    return Serving(feed=feed, answer=answer, kind=kind, shape=described.shape, low=described.low)
