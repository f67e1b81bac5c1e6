"""Windows: the geometry of convolutions and pools over (C, H, W) tensors of one sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shape", "Window"]

Shape = tuple[int, int, int]
"""Channels, height and width of a tensor."""

_LONGEST = 1 << 20  # pixels of a side: no image has more


@dataclass(frozen=True, kw_only=True)
class Window:
    """Geometry of a sliding window; ``pads`` are (top, left, bottom, right).

    A negative pad leaves out lines or columns. ``inset`` are lines and columns of output pixels, at the same four
    sides, that see only padding.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    inset: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            steps = f"stride {self.stride}, dilation {self.dilation}"
            raise ValueError(f"kernel {self.kernel}, {steps}: all must be positive")
        if max(*self.kernel, *self.dilation) > _LONGEST:
            raise ValueError(f"kernel {self.kernel} and dilation {self.dilation} reach beyond {_LONGEST} pixels")

    @property
    def sees_padding(self) -> bool:
        """Whether some output pixel may find a tap in padding."""
        return max(self.pads) > 0 or any(self.inset)

    def inside(self, height: int, width: int) -> NDArray[np.bool_]:
        """Which of ``height`` x ``width`` output pixels lie within the inset."""
        top, left, bottom, right = self.inset
        pixels = np.zeros((height, width), dtype=np.bool_)
        pixels[top : max(0, height - bottom), left : max(0, width - right)] = True
        return pixels

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Lines and columns that windows over ``height`` x ``width`` pixels give."""
        padded = height + self.pads[0] + self.pads[2], width + self.pads[1] + self.pads[3]
        rows, columns = (
            (size - d * (k - 1) - 1) // s + 1
            for size, k, s, d in zip(padded, self.kernel, self.stride, self.dilation, strict=True)
        )
        return rows, columns
