"""Reader: a window of an integer layer on one of its sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self

__all__ = ["Reader"]


class Reader(Protocol):
    """Geometry by which a layer reads a tensor; pairs are (vertical, horizontal), sides (top, left, bottom, right).

    A negative pad leaves out lines or columns of the source. ``inset`` are the lines and columns of output pixels, at
    the four sides, that find all taps in padding.
    """

    @property
    def source(self) -> str:
        """Tensor read."""
        ...

    @property
    def kernel(self) -> tuple[int, int]:
        """Lines and columns of a window."""
        ...

    @property
    def stride(self) -> tuple[int, int]:
        """Of windows, in pixels."""
        ...

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Lines and columns around the source."""
        ...

    @property
    def dilation(self) -> tuple[int, int]:
        """Pixels from one tap to the next."""
        ...

    @property
    def inset(self) -> tuple[int, int, int, int]:
        """Output pixels that find nothing."""
        ...

    @property
    def depthwise(self) -> bool:
        """Whether output channel c reads channel c of the source only."""
        ...

    def reading(self, names: Mapping[str, str]) -> Self:
        """The same with other names of the tensors that are read, where ``names`` has them."""
        ...

    def placed(self, source: str, pads: tuple[int, int, int, int], inset: tuple[int, int, int, int]) -> Self:
        """The same on another tensor, which has other pixels around what is read."""
        ...
