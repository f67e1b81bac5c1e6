"""Weight words that several column groups share, each of which multiplies lanes of its own (`docs/machine.md`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..hw.spec.config import AcceleratorConfig

__all__ = ["own_lanes", "weight_rows"]


def weight_rows(config: AcceleratorConfig, fields: Mapping[str, int], column_groups: ArrayLike) -> NDArray[np.int64]:
    """How often the weight pitch was added before each column group, of the same shape."""
    column_groups = np.asarray(column_groups)
    return column_groups // fields["channel_period"] if _diagonal(config, fields) else column_groups


def own_lanes(config: AcceleratorConfig, fields: Mapping[str, int], column_groups: ArrayLike) -> NDArray[np.bool_]:
    """Lanes whose weights count for each column group, of shape (..., lanes)."""
    column_groups = np.asarray(column_groups)
    if not _diagonal(config, fields):
        return np.ones((*column_groups.shape, config.lanes), dtype=bool)
    place = column_groups % fields["channel_period"] % config.diagonals
    return np.arange(config.lanes) // config.columns == place[..., np.newaxis]


def _diagonal(config: AcceleratorConfig, fields: Mapping[str, int]) -> bool:
    return config.diagonals > 1 and bool(fields["diagonal"])
