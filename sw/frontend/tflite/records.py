"""Plain records of a TFLite file: a tensor with its quantisation, an operator with its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TfliteNode", "TfliteTensor"]


@dataclass(frozen=True, kw_only=True)
class TfliteTensor:
    """A tensor: ``data`` if it is constant, ``scale`` and ``zero`` if its integers stand for real values.

    Those are one value, or one for each index of ``axis``. A batch axis that may be of any size is 1 in ``shape``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    data: NDArray[Any] | None
    scale: NDArray[np.float32] | None
    zero: NDArray[np.int64]
    axis: int


@dataclass(frozen=True, kw_only=True)
class TfliteNode:
    """An operator; absent inputs are -1."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
