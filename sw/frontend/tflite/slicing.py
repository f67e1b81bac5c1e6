"""STRIDED_SLICE as numpy's indices."""

from __future__ import annotations

from collections.abc import Mapping
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["slices_of"]

Index = int | slice | None | EllipsisType


def slices_of(
    options: Mapping[str, Any], axes: int, begin: NDArray[Any], end: NDArray[Any], stride: NDArray[Any]
) -> tuple[Index, ...]:
    """Indices for an array of so many ``axes``: bit i of a mask concerns entry i of begin, end and stride."""
    masks = {name: options.get(f"{name}Mask", 0) for name in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")}
    index: list[Index] = []
    for position, (first, last, step) in enumerate(zip(begin.tolist(), end.tolist(), stride.tolist(), strict=True)):
        says = {name: bool(mask >> position & 1) for name, mask in masks.items()}
        if says["Ellipsis"]:
            index.append(...)
        elif says["NewAxis"]:
            index.append(None)
        elif says["ShrinkAxis"]:
            index.append(int(first))
        else:
            if options.get("Offset", False):
                last += first
            index.append(slice(None if says["Begin"] else first, None if says["End"] else last, step))
    if sum(isinstance(each, int | slice) for each in index) > axes or not np.all(stride):
        raise ValueError("more indices than axes, or a stride of 0")
    return tuple(index)
