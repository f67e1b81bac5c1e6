"""TensorLayout: where each code of a tensor lies in activation memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .digits import Digits

__all__ = ["TensorLayout"]


@dataclass(frozen=True, kw_only=True)
class TensorLayout:
    """Addresses of a tensor of ``channels`` x ``height`` x ``width`` levels (formula: `docs/machine.md`).

    Parameters
    ----------
    channels, height, width : int
        Shape.
    lanes : int
        Codes in a word.
    planes : int
        Digit planes.
    base : int
        Address of the first word.
    phases : (int, int)
        Vertical and horizontal phases (py, px).
    line : int
        Words from one line of a phase to the next; at least ``ceil(width / px)``.
    groups : int
        Channel groups allocated; at least ``ceil(channels / lanes)``. 0 means just that.
    """

    channels: int
    height: int
    width: int
    lanes: int
    planes: int
    base: int = 0
    phases: tuple[int, int] = (1, 1)
    line: int = 0
    groups: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", tuple(self.phases))
        if not self.line:
            object.__setattr__(self, "line", -(-self.width // self.phases[1]))
        if not self.groups:
            object.__setattr__(self, "groups", -(-self.channels // self.lanes))

    @property
    def phase_pitch(self) -> int:
        """Words of one phase of one plane."""
        return -(-self.height // self.phases[0]) * self.line

    @property
    def plane_pitch(self) -> int:
        """Words of one digit plane."""
        return self.phases[0] * self.phases[1] * self.phase_pitch

    @property
    def group_pitch(self) -> int:
        """Words of one channel group."""
        return self.planes * self.plane_pitch

    @property
    def size(self) -> int:
        """Words of the whole tensor."""
        return self.groups * self.group_pitch

    def spatial(self, y: ArrayLike, x: ArrayLike) -> NDArray[np.int64]:
        """Offset of pixels within a plane; ``y`` and ``x`` may lie outside the tensor: offsets of padding."""
        y, x = np.asarray(y, dtype=np.int64), np.asarray(x, dtype=np.int64)
        phase_y, phase_x = self.phases
        return ((y % phase_y) * phase_x + x % phase_x) * self.phase_pitch + (y // phase_y) * self.line + x // phase_x

    def addresses(self) -> NDArray[np.int64]:
        """Address of every word that holds data, of shape (groups with channels, planes, height, width)."""
        groups = np.arange(-(-self.channels // self.lanes))[:, None, None, None] * self.group_pitch
        planes = np.arange(self.planes)[None, :, None, None] * self.plane_pitch
        pixels = self.spatial(np.arange(self.height)[:, None], np.arange(self.width)[None, :])
        return self.base + groups + planes + pixels

    def pack(self, levels: ArrayLike, digits: Digits) -> NDArray[np.uint8]:
        """Codes of a tensor, of shape (groups, planes, height, width, lanes), in the order of :meth:`addresses`.

        Parameters
        ----------
        levels : array of int, shape (channels, height, width)
        digits : Digits
        """
        levels = np.asarray(levels, dtype=np.int64)
        groups = -(-self.channels // self.lanes)
        padded = np.zeros((groups * self.lanes, self.height, self.width), dtype=np.int64)
        padded[: self.channels] = levels
        planes = digits.to_planes(padded, self.planes).reshape(self.planes, groups, self.lanes, self.height, self.width)
        return np.ascontiguousarray(planes.transpose(1, 0, 3, 4, 2))

    def unpack(self, codes: ArrayLike, digits: Digits) -> NDArray[np.int64]:
        """Levels of shape (channels, height, width); the inverse of :meth:`pack`."""
        planes = np.asarray(codes).transpose(1, 0, 4, 2, 3)
        levels = digits.from_planes(planes.reshape(self.planes, -1, self.height, self.width))
        return levels[: self.channels]

    def to_dict(self) -> dict[str, Any]:
        """Fields by name, for a program file."""
        return asdict(self)
