"""Outlines: segments without weights, layers without parameters; they size a model before it is quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.digits import Digits
from .quantised import IntegerLayer, MacLayer, Segment

__all__ = ["LayerOutline", "Outline", "blank_weights", "is_outlined"]


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

    @property
    def known(self) -> bool:
        """Not yet."""
        return False

    @property
    def trained(self) -> bool:
        """Only learned weights are not known beforehand."""
        return True

    @property
    def read(self) -> NDArray[np.bool_]:
        """Its taps."""
        return self.taps

    def codes(self, digits: Digits) -> list[NDArray[np.uint8] | None]:
        """What stands for any codes, of the digits that are used."""
        blank = np.broadcast_to(np.uint8(0), self.weights.shape)
        return [blank if used else None for used in self.digits]

    def by_channel(self) -> Self:
        """As a depthwise one if it is ``diagonal``."""
        if not self.diagonal:
            return self
        outputs, _, *kernel = self.weights.shape
        return replace(self, weights=blank_weights((outputs, 1, *kernel)), depthwise=True)


@dataclass(frozen=True, kw_only=True)
class LayerOutline(MacLayer):
    """A layer whose bias, multiplicand and shift are not known, whether its weights are or not.

    What stands for them says nothing: two outlines need parameter words of their own, though these look the same.
    """


def blank_weights(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Zeros that take no memory."""
    return np.broadcast_to(np.int64(0), shape)


def is_outlined(layer: IntegerLayer) -> bool:
    """Whether some weights of a layer are not known yet."""
    return not all(segment.known for segment in layer.segments)
