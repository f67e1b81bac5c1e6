"""Feed: how a core lays out a frame of bytes as a network's input: loops over bytes, and a code for each of them.

The frame lies in `Region.FRAME`, four bytes a word. `Region.CODES` says what each byte stands for: the codes of its
digit planes. `Region.FEED` says which byte goes where: nested loops, whose innermost gives the values of a pixel (or of
a kernel's window around it) and whose outer ones go from pixel to pixel. `docs/feeder.md` has the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .config import AcceleratorConfig
from .digits import Digits
from .errors import NarrowsError
from .isa import Field, Record
from .layout import TensorLayout, Unfold

__all__ = [
    "BYTES",
    "CODE_BITS",
    "FEED_ENTRIES",
    "FEED_LOOPS",
    "FEED_SHAPE",
    "FEED_SHAPE_ENTRY",
    "FEED_START",
    "FEED_STEP",
    "FEED_STEP_WORDS",
    "FRAME_WORD_BYTES",
    "FeedError",
    "FeedPlan",
    "code_words",
    "feed_planes",
    "feed_words",
    "frame_place_bits",
    "laid_out",
    "plan_feed",
]

FEED_LOOPS = 8
"""Most loops, the end of the frame among them: entries 0 (innermost) to 7 of `Region.FEED`."""

FEED_START, FEED_SHAPE_ENTRY, FEED_ENTRIES = FEED_LOOPS, FEED_LOOPS + 1, FEED_LOOPS + 2
"""The entry that says where the frame begins, the one with `FEED_SHAPE`, and how many there are."""

FRAME_WORD_BYTES = 4
"""Bytes of a frame in a word of `Region.FRAME`, the first in the low bits."""

BYTES = 256
"""Entries of `Region.CODES`."""

CODE_BITS = 32
"""Bits of one."""

_FIELD = 16

FEED_STEP = Record(
    "FEED_STEP",
    4,
    (
        Field("count", 0, 0, _FIELD, "times that the loop goes on after its first round"),
        Field("word", 0, 16, _FIELD, "added to the address of the pixel's first word, modulo its range"),
        Field("byte", 1, 0, _FIELD, "added to the byte's place in the frame, modulo its range"),
        Field("pixel", 1, 16, 1, "1: the loop goes from pixel to pixel"),
        Field("end", 1, 17, 1, "1: there is no such loop, the frame ends"),
        Field("column", 2, 0, _FIELD, "added to the byte's column", True),
        Field("line", 2, 16, _FIELD, "added to the byte's line", True),
    ),
)
"""What one more round of a loop does; of the innermost, what one more byte does."""

FEED_STEP_WORDS = 3
"""Words of it that say something; a core takes an entry over when the last of them is written."""

FEED_SHAPE = Record(
    "FEED_SHAPE",
    4,
    (
        Field("columns", 0, 0, _FIELD, "columns of the frame: a byte of another one is not in it"),
        Field("lines", 0, 16, _FIELD, "lines of the frame, likewise"),
        Field("group", 1, 0, _FIELD, "from a word to that of the pixel's next lanes"),
        Field("plane", 1, 16, _FIELD, "from a word to that of the next digit plane"),
        Field("fill", 2, 0, 32, "codes of what is not in the frame, as in CODES"),
        Field("planes", 3, 0, 4, "digit planes but one"),
    ),
)
"""What is the same for all bytes of a frame."""


class FeedError(NarrowsError, ValueError):
    """A frame or a layout that a core cannot be fed with; the message says why."""


def feed_planes(config: AcceleratorConfig) -> int:
    """Most digit planes that a core's feeder writes."""
    return min(config.planes, CODE_BITS // config.code_bits)


def frame_place_bits(config: AcceleratorConfig) -> int:
    """Bits of a byte's line and column."""
    return config.frame_bytes.bit_length()


@dataclass(frozen=True)
class _Loop:
    """``count`` rounds of a loop, and how far one moves: word, byte, column, line."""

    count: int
    step: tuple[int, int, int, int]
    pixel: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class FeedPlan:
    """Entries of `Region.FEED` for a tensor's layout.

    Parameters
    ----------
    words : array of uint32, shape (FEED_ENTRIES, 4)
    frame_bytes : int
        Bytes of a frame.
    order : str
        Of these: ``"hwc"``, the channels of a pixel side by side, or ``"chw"``, a channel after the other.
    shape : tuple of int
        The tensor's shape (C, H, W).
    """

    words: NDArray[np.uint32]
    frame_bytes: int
    order: str
    shape: tuple[int, int, int]

    def frame(self, values: ArrayLike) -> NDArray[np.uint8]:
        """Bytes of a frame, of shape (frame_bytes,), from its values (C, H, W): the low byte of each."""
        values = np.asarray(values)
        if values.shape != self.shape:
            raise FeedError(f"a frame has the shape {self.shape}, not {values.shape}")
        ordered = values if self.order == "chw" else values.transpose(1, 2, 0)
        return (ordered.astype(np.int64) & 0xFF).astype(np.uint8).reshape(-1)


def plan_feed(
    layout: TensorLayout, shape: tuple[int, int, int], config: AcceleratorConfig, *, zero: int = 0, order: str = "hwc"
) -> FeedPlan:
    """Loops that lay a tensor out.

    Parameters
    ----------
    layout : TensorLayout
        Where it lies in the activation memory.
    shape : (int, int, int)
        Channels, lines and columns of the tensor, not of its windows.
    config : AcceleratorConfig
        Of the core.
    zero : int
        Level of what is outside, where the layout holds no windows, which have one of their own.
    order : str
        ``"hwc"`` or ``"chw"``.

    Raises
    ------
    FeedError
        If the core has no frame memory, or one that is too small, or the layout has more planes than its feeder writes.
    """
    channels, height, width = shape
    size = channels * height * width
    if not config.frame_bytes:
        raise FeedError("the core has no frame memory: generate it with frame_bytes")
    if size > config.frame_bytes:
        raise FeedError(
            f"a frame of {size} bytes is larger than the core's frame memory (frame_bytes {config.frame_bytes})"
        )
    if layout.planes > feed_planes(config):
        raise FeedError(f"the input has {layout.planes} digit planes, the core's feeder writes {feed_planes(config)}")
    if order not in ("hwc", "chw"):
        raise FeedError(f"the order of a frame's bytes is 'hwc' or 'chw', not {order!r}")
    unfold = layout.unfold or Unfold(
        channels=channels,
        height=height,
        width=width,
        kernel=(1, 1),
        stride=(1, 1),
        pad=(0, 0),
        dilation=(1, 1),
        fill=zero,
    )
    loops, start, columns = _loops(layout, unfold, order)
    _check_reach(loops, start, (columns, height), config)
    shape_entry = {
        "columns": columns,
        "lines": height,
        "group": layout.group_pitch % config.act_words,
        "plane": layout.plane_pitch % config.act_words,
        "fill": int(code_words([unfold.fill], layout.planes, config.digits)[0]),
        "planes": layout.planes - 1,
    }
    entries = [*_encoded(loops, config), _step(start, config), FEED_SHAPE.encode(shape_entry)]
    return FeedPlan(words=np.array(entries, dtype=np.uint32), frame_bytes=size, order=order, shape=shape)


def _loops(layout: TensorLayout, unfold: Unfold, order: str) -> tuple[list[_Loop], tuple[int, int, int, int], int]:
    """Loops from the inside out, where the first byte is, and columns of the frame: of bytes where the channels of a
    pixel lie side by side, else of pixels."""
    channels, (lines, taps) = unfold.channels, unfold.kernel
    if order == "hwc":
        pixel, line, channel, column = channels, unfold.width * channels, 1, channels
        inner = (0, 1, 1, 0)
    else:
        pixel, line, channel, column = 1, unfold.width, unfold.height * unfold.width, 1
        inner = (0, channel, 0, 0)
    if order == "hwc" and unfold.dilation[1] == 1:
        loops = [_Loop(taps * channels, inner, False)]
    else:
        across = unfold.dilation[1]
        loops = [_Loop(channels, inner, False), _Loop(taps, (0, across * pixel, across * column, 0), False)]
    down = unfold.dilation[0]
    loops.append(_Loop(lines, (0, down * line, 0, down), False))
    for axis, extent, byte, place in (
        (1, layout.width, pixel, (column, 0)),
        (0, layout.height, line, (0, 1)),
    ):
        phases, stride = layout.phases[axis], unfold.stride[axis]
        pitch = layout.pixel_pitch * (layout.line if axis == 0 else 1)
        phase = layout.phase_pitch * (layout.phases[1] if axis == 0 else 1)
        one = (stride * byte, stride * place[0], stride * place[1])
        loops.append(_Loop(phases, (phase, *one), True))
        loops.append(_Loop(-(-extent // phases), (pitch, phases * one[0], phases * one[1], phases * one[2]), True))
    top, left = unfold.pad
    start = (layout.base, -top * line - left * pixel, -left * column, -top)
    return loops, start, unfold.width * column


def _check_reach(
    loops: Sequence[_Loop], start: tuple[int, int, int, int], extents: tuple[int, int], config: AcceleratorConfig
) -> None:
    """See that no place outside the frame looks like one inside: both are counted modulo a power of two."""
    modulus = 1 << frame_place_bits(config)
    if max(loop.count for loop in loops) > modulus:
        raise FeedError("the input has more lines or columns than the core's frame memory has bytes")
    for axis, extent in zip((2, 3), extents, strict=True):
        moves = [(loop.count - 1) * loop.step[axis] for loop in loops]
        low = start[axis] + sum(min(0, move) for move in moves)
        high = start[axis] + sum(max(0, move) for move in moves)
        if low < extent - modulus or high >= modulus:
            raise FeedError("the kernel reaches too far beyond a frame for the core's frame memory")


def _encoded(loops: Sequence[_Loop], config: AcceleratorConfig) -> list[list[int]]:
    """Entries of loops that go on at least once; a step takes back what the loops inside have moved."""
    moved = np.zeros(4, dtype=np.int64)
    entries = []
    for place, loop in enumerate(loops):
        if place and loop.count == 1:
            continue
        step = np.array(loop.step)
        entries.append(_step(step if not place else step - moved, config, count=loop.count - 1, pixel=loop.pixel))
        # the innermost loop moves after its last byte, too
        moved += step * (loop.count if not place else loop.count - 1)
    entries.append(_step((0, 0, 0, 0), config, end=1))
    if len(entries) > FEED_LOOPS:
        raise FeedError(f"a frame needs {len(entries) - 1} loops, a core has {FEED_LOOPS - 1}")
    return entries + [_step((0, 0, 0, 0), config, end=1)] * (FEED_LOOPS - len(entries))


def _step(step: ArrayLike, config: AcceleratorConfig, **flags: int | bool) -> list[int]:
    word, byte, column, line = (int(value) for value in np.asarray(step))
    fields = {
        "word": word % config.act_words,
        "byte": byte % config.frame_bytes,
        "column": column,
        "line": line,
    }
    return FEED_STEP.encode(fields | {name: int(value) for name, value in flags.items()})


def code_words(levels: ArrayLike, planes: int, digits: Digits) -> NDArray[np.uint32]:
    """Entries of `Region.CODES` for levels of shape (n,): the code of plane p at bit ``p * code_bits``."""
    codes = digits.to_planes(np.asarray(levels, dtype=np.int64), planes).astype(np.uint32)
    shifts = (digits.code_bits * np.arange(planes, dtype=np.uint32))[:, np.newaxis]
    return np.bitwise_or.reduce(codes << shifts, axis=0)


def feed_words(frame: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Words of `Region.FRAME` for the bytes of a frame; zeros fill the last one."""
    padded = np.zeros(-(-len(frame) // FRAME_WORD_BYTES) * FRAME_WORD_BYTES, dtype=np.uint8)
    padded[: len(frame)] = frame
    return padded.view("<u4").astype(np.uint32)


def laid_out(
    entries: NDArray[np.uint32], codes: NDArray[np.uint32], frame: NDArray[np.uint8], config: AcceleratorConfig
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """What a core does with a frame: the definition that the hardware is held against.

    Parameters
    ----------
    entries : array of uint32, shape (FEED_ENTRIES, 4)
    codes : array of uint32, shape (256,)
    frame : array of uint8, shape (config.frame_bytes,)
    config : AcceleratorConfig

    Returns
    -------
    addresses : array of int64, shape (n,)
        Words written, in their order: every plane of one, then of the next.
    words : array of uint8, shape (n, lanes)
        Their codes.
    """
    steps = [FEED_STEP.decode(entry) for entry in entries[: FEED_START + 1].tolist()]
    shape = FEED_SHAPE.decode(entries[FEED_SHAPE_ENTRY].tolist())
    ends = next((place for place, step in enumerate(steps[:FEED_LOOPS]) if place and step["end"]), FEED_LOOPS)
    inside = next((place for place, step in enumerate(steps[:ends]) if place and step["pixel"]), ends)
    places, moved = [np.array([steps[FEED_START][name] for name in _MOVES], dtype=np.int64)], np.zeros(4, np.int64)
    for level, step in enumerate(steps[:ends]):
        delta = np.array([step[name] for name in _MOVES], dtype=np.int64)
        stride = delta + moved
        places.append(np.arange(step["count"] + 1)[:, np.newaxis] * stride)
        moved += stride * (step["count"] + (1 if level == 0 else 0))
    grid = places[0]
    for level in places[:0:-1]:  # from the outside in: the last index is the fastest
        grid = (grid[..., np.newaxis, :] + level) if grid.ndim > 1 else grid + level
    values = math.prod(step["count"] + 1 for step in steps[:inside])
    grid = grid.reshape(-1, values, 4)
    width = frame_place_bits(config)
    column, line = (grid[..., axis] % (1 << width) for axis in (2, 3))
    known = (column < shape["columns"] % (1 << width)) & (line < shape["lines"] % (1 << width))
    picked = np.where(known, codes[frame[grid[..., 1] % config.frame_bytes]], np.uint32(shape["fill"]))
    groups = -(-values // config.lanes)
    padded = np.zeros((len(grid), groups * config.lanes), dtype=np.uint32)
    padded[:, :values] = picked
    planes = np.arange(shape["planes"] + 1)
    addresses = grid[:, 0, 0][:, np.newaxis, np.newaxis] + shape["group"] * np.arange(groups)[:, np.newaxis]
    addresses = (addresses + shape["plane"] * planes) % config.act_words
    mask = np.uint32((1 << config.code_bits) - 1)
    lanes = padded.reshape(len(grid), groups, 1, config.lanes)
    words = lanes >> (config.code_bits * planes.astype(np.uint32))[:, np.newaxis] & mask
    return addresses.reshape(-1), words.reshape(-1, config.lanes).astype(np.uint8)


_MOVES = ("word", "byte", "column", "line")
