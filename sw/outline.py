"""Outlines: segments without weights, layers without parameters; they size a model before it is quantised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.digits import Digits
from .quantised import MacLayer, MaxLayer, Segment

__all__ = ["LayerOutline", "Outline", "blank_weights", "is_outlined", "read_taps", "weight_codes"]


@dataclass(frozen=True, kw_only=True)
class Outline(Segment):
    """A segment of which the shape is known, and what of its weights will not all be 0: digits, lowest first, and taps.

    ``weights`` are zeros of their shape (`blank_weights`). A program of outlines has the sizes, cycles and schedule of
    the real one, and nothing in its weights. ``diagonal``: of a layer that enlarges, whether each channel of each phase
    reads just the channel of its own number.
    """

    digits: tuple[bool, ...]
    taps: NDArray[np.bool_]
    diagonal: bool = False


@dataclass(frozen=True, kw_only=True)
class LayerOutline(MacLayer):
    """A layer whose bias, multiplicand and shift are not known, whether its weights are or not.

    What stands for them says nothing: two outlines need parameter words of their own, though these look the same.
    """


def blank_weights(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Zeros that take no memory."""
    return np.broadcast_to(np.int64(0), shape)


def is_outlined(layer: MacLayer | MaxLayer) -> bool:
    """Whether some weights of a layer are not known yet."""
    return isinstance(layer, MacLayer) and any(isinstance(segment, Outline) for segment in layer.segments)


def weight_codes(segment: Segment, digits: Digits) -> list[NDArray[np.uint8] | None]:
    """Codes of the weights by digit, lowest first; None where all are 0. Those of an outline stand for any codes."""
    if isinstance(segment, Outline):
        blank = np.broadcast_to(np.uint8(0), segment.weights.shape)
        return [blank if used else None for used in segment.digits]
    return [codes if codes.any() else None for codes in digits.fewest_codes(segment.weights)]


def read_taps(segment: Segment) -> NDArray[np.bool_]:
    """Which taps (kH, kW) of a segment some channel weighs: others are not read."""
    return segment.taps if isinstance(segment, Outline) else np.asarray(segment.weights.any(axis=(0, 1)))
