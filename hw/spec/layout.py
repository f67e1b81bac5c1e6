"""TensorLayout: where each code of a tensor lies in activation memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .digits import Digits

__all__ = ["TensorLayout", "Unfold"]


@dataclass(frozen=True, kw_only=True)
class Unfold:
    """Windows of a tensor of ``channels`` x ``height`` x ``width`` levels, each stored as the channels of one pixel.

    Value ``(ky * kernel[1] + kx) * channels + c`` of pixel (y, x) is the tensor's level at channel c, line
    ``y * stride[0] + ky * dilation[0] - pad[0]`` and column ``x * stride[1] + kx * dilation[1] - pad[1]``, or ``fill``
    outside.
    """

    channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    dilation: tuple[int, int]
    fill: int

    def __post_init__(self) -> None:
        for name in ("kernel", "stride", "pad", "dilation"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def values(self, levels: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.int64]:
        """Windows of levels of shape (channels, height, width), for ``size`` lines and columns of pixels."""
        index, inside = [], []
        for axis, extent in enumerate((self.height, self.width)):
            steps = np.arange(self.kernel[axis])[:, None] * self.dilation[axis] - self.pad[axis]
            at = steps + np.arange(size[axis]) * self.stride[axis]
            inside.append((at >= 0) & (at < extent))
            index.append(np.clip(at, 0, extent - 1))
        (y, x), (in_y, in_x) = index, inside
        picked = levels[:, y[:, None, :, None], x[None, :, None, :]]
        known = in_y[:, None, :, None] & in_x[None, :, None, :]
        windows = np.where(known, picked, self.fill).transpose(1, 2, 0, 3, 4)
        return windows.reshape(-1, *size)


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
    interleaved : bool
        The words of a pixel's channel groups lie side by side; otherwise those of neighbouring pixels do.
    gap : int
        Words left free behind each phase.
    unfold : Unfold, optional
        What is stored are windows of a tensor; ``channels``, ``height`` and ``width`` are those of the windows.
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
    interleaved: bool = False
    gap: int = 0
    unfold: Unfold | None = None

    def __post_init__(self) -> None:
        if isinstance(self.unfold, Mapping):
            object.__setattr__(self, "unfold", Unfold(**self.unfold))
        object.__setattr__(self, "phases", tuple(self.phases))
        if not self.line:
            object.__setattr__(self, "line", -(-self.width // self.phases[1]))
        if not self.groups:
            object.__setattr__(self, "groups", -(-self.channels // self.lanes))

    @property
    def pixel_pitch(self) -> int:
        """Words from one pixel of a line and phase to the next."""
        return self.groups if self.interleaved else 1

    @property
    def phase_pitch(self) -> int:
        """Words from one phase of one plane to the next."""
        return -(-self.height // self.phases[0]) * self.line * self.pixel_pitch + self.gap

    @property
    def plane_pitch(self) -> int:
        """Words from one digit plane to the next."""
        return self.phases[0] * self.phases[1] * self.phase_pitch

    @property
    def group_pitch(self) -> int:
        """Words from one channel group to the next."""
        return 1 if self.interleaved else self.planes * self.plane_pitch

    @property
    def size(self) -> int:
        """Words of the whole tensor."""
        return self.planes * self.plane_pitch * (1 if self.interleaved else self.groups)

    def spatial(self, y: ArrayLike, x: ArrayLike) -> NDArray[np.int64]:
        """Offset of pixels within a plane; ``y`` and ``x`` may lie outside the tensor: offsets of padding."""
        y, x = np.asarray(y, dtype=np.int64), np.asarray(x, dtype=np.int64)
        phase_y, phase_x = self.phases
        phase = (y % phase_y) * phase_x + x % phase_x
        return phase * self.phase_pitch + ((y // phase_y) * self.line + x // phase_x) * self.pixel_pitch

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
        levels : array of int, shape (channels, height, width), of the unfolded tensor if there is one
        digits : Digits
        """
        levels = np.asarray(levels, dtype=np.int64)
        if self.unfold is not None:
            levels = self.unfold.values(levels, (self.height, self.width))
        groups = -(-self.channels // self.lanes)
        padded = np.zeros((groups * self.lanes, self.height, self.width), dtype=np.int64)
        padded[: self.channels] = levels
        planes = digits.to_planes(padded, self.planes).reshape(self.planes, groups, self.lanes, self.height, self.width)
        return np.ascontiguousarray(planes.transpose(1, 0, 3, 4, 2))

    def unpack(self, codes: ArrayLike, digits: Digits) -> NDArray[np.int64]:
        """Levels of shape (channels, height, width); the inverse of :meth:`pack`, for windows that of their values."""
        planes = np.asarray(codes).transpose(1, 0, 4, 2, 3)
        levels = digits.from_planes(planes.reshape(self.planes, -1, self.height, self.width))
        return levels[: self.channels]

    def to_dict(self) -> dict[str, Any]:
        """Fields by name, for a program file."""
        return asdict(self)
