"""Answer: what a core that serves streams gives behind each frame: the levels of a tensor, or the place of the largest.

`Region.ANSWER` says where the tensor lies and how it is given; `docs/streams.md` has the whole."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from .config import AcceleratorConfig
from .errors import NarrowsError
from .isa import Field, Record
from .layout import TensorLayout

__all__ = ["ANSWER", "ANSWER_BYTES", "AnswerError", "AnswerKind", "answer_of", "plan_answer"]

_FIELD = 16

ANSWER = Record(
    "ANSWER",
    5,
    (
        Field("frame", 0, 0, _FIELD, "bytes of a frame but one"),
        Field("channels", 0, 16, _FIELD, "channels of the tensor but one"),
        Field("columns", 1, 0, _FIELD, "columns but one"),
        Field("lines", 1, 16, _FIELD, "lines but one"),
        Field("word", 2, 0, _FIELD, "address of the first pixel's first word, of its top digit plane"),
        Field("group", 2, 16, _FIELD, "from a word to that of the pixel's next lanes, modulo act_words"),
        Field("plane", 3, 0, _FIELD, "from a word to that of the digit plane below, likewise"),
        Field("pixel", 3, 16, _FIELD, "from a pixel's first word to that of the next in its line, likewise"),
        Field("line", 4, 0, _FIELD, "from the first word of a line's last pixel to that of the next line, likewise"),
        Field("planes", 4, 16, 4, "digit planes but one"),
        Field("kind", 4, 20, 2, "AnswerKind"),
    ),
)
"""What is answered, and how long a frame is."""


class AnswerKind(enum.IntEnum):
    """How an answer is given; every number has its low byte first."""

    BYTES = 0
    """A byte a level: two's complement, or the level itself where no level is below 0."""
    WORDS = 1
    """Two bytes a level, two's complement."""
    PLACE = 2
    """Two bytes: the place of the largest level, the first one of several; its class, for a classifier."""


ANSWER_BYTES = {AnswerKind.BYTES: 1, AnswerKind.WORDS: 2, AnswerKind.PLACE: 2}
"""Bytes of a number."""


class AnswerError(NarrowsError, ValueError):
    """A tensor that a core cannot answer with; the message says why."""


def plan_answer(
    layout: TensorLayout,
    span: tuple[int, int],
    kind: AnswerKind | None,
    frame_bytes: int,
    config: AcceleratorConfig,
) -> NDArray[np.uint32]:
    """The word of `Region.ANSWER` for a tensor.

    Parameters
    ----------
    layout : TensorLayout
        Where it lies in the activation memory.
    span : (int, int)
        Its lowest and its highest level.
    kind : AnswerKind or None
        How it is given; None: the levels, in as few bytes as they need.
    frame_bytes : int
        Bytes of a frame, 1 to the core's ``frame_bytes``.
    config : AcceleratorConfig
        Of the core.

    Returns
    -------
    array of uint32, shape (5,)

    Raises
    ------
    AnswerError
        If its levels do not fit the bytes, its pixels lie in phases, or a place does not fit two bytes.
    """
    low, high = span
    if kind is None:
        kind = AnswerKind.BYTES if _fits_byte(low, high) else AnswerKind.WORDS
    if kind is AnswerKind.BYTES and not _fits_byte(low, high):
        raise AnswerError(f"levels from {low} to {high} do not fit a byte: ask for words")
    if kind is AnswerKind.WORDS and not -(1 << 15) <= low <= high < 1 << 15:
        raise AnswerError(f"levels from {low} to {high} do not fit two bytes")
    if layout.phases != (1, 1):
        raise AnswerError("the tensor's pixels lie in phases: only a host can read it")
    count = layout.channels * layout.height * layout.width
    if count > 1 << 16:
        raise AnswerError(f"an answer has 65,536 values at most, not {count:,}")
    top = layout.base + (layout.planes - 1) * layout.plane_pitch
    across = layout.pixel_pitch
    down = layout.line * layout.pixel_pitch - (layout.width - 1) * across
    words = ANSWER.encode(
        {
            "frame": frame_bytes - 1,
            "channels": layout.channels - 1,
            "columns": layout.width - 1,
            "lines": layout.height - 1,
            "planes": layout.planes - 1,
            "kind": kind,
            **{
                name: step % config.act_words
                for name, step in (
                    ("word", top),
                    ("group", layout.group_pitch),
                    ("plane", -layout.plane_pitch),
                    ("pixel", across),
                    ("line", down),
                )
            },
        }
    )
    return np.array(words, dtype=np.uint32)


def _fits_byte(low: int, high: int) -> bool:
    return 0 <= low <= high <= 255 or -128 <= low <= high <= 127


def answer_of(words: NDArray[np.uint32], codes: NDArray[np.uint8], config: AcceleratorConfig) -> bytes:
    """What a core answers: the definition that the hardware is held against. Values come pixel by pixel, line by line,
    the channels of a pixel side by side.

    Parameters
    ----------
    words : array of uint32, shape (5,)
        Of `Region.ANSWER`.
    codes : array of uint8, shape (act_words, lanes)
        The activation memory.
    config : AcceleratorConfig
    """
    shape = ANSWER.decode(words.tolist())
    channels, columns, lines = (np.arange(shape[name] + 1) for name in ("channels", "columns", "lines"))
    planes = np.arange(shape["planes"] + 1)
    line = (shape["columns"] * shape["pixel"] + shape["line"]) * lines[:, np.newaxis]
    pixels = (shape["word"] + line + shape["pixel"] * columns).reshape(-1, 1, 1)
    groups = (shape["group"] * (channels // config.lanes))[:, np.newaxis]
    addresses = (pixels + groups + shape["plane"] * planes) % config.act_words
    digits = config.digits.base.decode(codes[addresses, (channels % config.lanes)[:, np.newaxis]])
    levels = (digits << config.digits.shift * planes[::-1]).sum(axis=-1).reshape(-1)
    if shape["kind"] == AnswerKind.PLACE:
        levels = np.array([levels.argmax()])
    size = ANSWER_BYTES[AnswerKind(shape["kind"])]
    return (levels & (1 << 8 * size) - 1).astype(f"<u{size}").tobytes()
