"""plain, narrowed, widened: records and integers as program files hold them, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["narrowed", "plain", "widened"]


def plain(record: Any, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fields of a dataclass as JSON values: numpy scalars become Python's, tuples lists."""
    return {
        field.name: _json_value(getattr(record, field.name)) for field in fields(record) if field.name not in without
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_json_value(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def narrowed(values: NDArray[np.int64]) -> NDArray[np.signedinteger]:
    """The same integers in the narrowest type that holds them."""
    values = np.asarray(values, dtype=np.int64)
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    for dtype in (np.int8, np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return values.astype(dtype)
    return values


def widened(values: NDArray[Any]) -> NDArray[np.int64]:
    """The integers of a file again; TypeError if they are none."""
    if values.dtype.kind != "i":
        raise TypeError(f"an array of {values.dtype} where integers belong")
    return values.astype(np.int64)
