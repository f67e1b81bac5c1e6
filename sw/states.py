"""States: tensors that a run takes over from the run before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["State"]


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """A tensor that no layer of a graph writes, and what becomes of it.

    In the first run ``tensor`` holds ``initial``, in each later one what ``update`` held at the end of the run before.

    Parameters
    ----------
    tensor, update : str
        Of one shape; in a quantised graph of one format, scale and zero level, too.
    initial : array, shape (C, H, W)
        Real values; in a quantised graph levels.
    """

    tensor: str
    update: str
    initial: NDArray[Any]
