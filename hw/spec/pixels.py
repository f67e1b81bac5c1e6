"""Where the pixels of a COMPUTE read and write, for all pixels at once (`docs/machine.md`: pixel groups, valid)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import AcceleratorConfig
from .isa import BORDER_MAX

__all__ = ["BORDERS", "Pixels", "drained_order", "drained_pairs", "pixel_groups", "walk_pixels"]

BORDERS = ("top", "bottom", "left", "right")
"""Fields of a tap that say how far from the borders a pixel must be to find it (`isa.TAP`), as `Pixels` has them."""


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """Output pixels of an instruction in line order; all arrays have shape (out_height * out_width,).

    ``read`` is the address of the pixel's row without channel, block and tap offsets, ``write`` the offset of its
    output words, ``group`` and ``row`` its pixel group and place in it, ``borders`` (4, n) its saturated distances to
    top, bottom, left, right.
    """

    read: NDArray[np.int64]
    write: NDArray[np.int64]
    group: NDArray[np.int64]
    row: NDArray[np.int64]
    borders: NDArray[np.int64]

    def valid(self, tap: Mapping[str, int]) -> NDArray[np.bool_]:
        """For which pixels a tap (`isa.TAP`) lies inside its tensor."""
        needed = np.array([tap[side] for side in BORDERS])
        return np.all(self.borders >= needed[:, None], axis=0)


def pixel_groups(height: int, width: int, rows: int, wrap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixel group and row within it of each output pixel, in line order."""
    if wrap:
        pixel = np.arange(height * width)
        return pixel // rows, pixel % rows
    x, y = np.tile(np.arange(width), height), np.repeat(np.arange(height), width)
    return y * -(-width // rows) + x // rows, x % rows


def walk_pixels(fields: Mapping[str, int]) -> Pixels:
    """Pixels of a COMPUTE with these fields (`isa.COMPUTE`)."""
    height, width, rows = fields["out_height"], fields["out_width"], fields["rows"]
    group, row = pixel_groups(height, width, rows, fields["wrap"])
    x, y = np.tile(np.arange(width), height), np.repeat(np.arange(height), width)
    step, line = fields["origin_step"], fields["origin_line"]
    if fields["wrap"]:
        origin = group * step
    else:
        steps_in_line = -(-width // rows) - 1
        origin = y * (steps_in_line * step + line) + x // rows * step

    across = np.where(np.arange(width) % 2, fields["out_dx_odd"], fields["out_dx_even"])
    down = np.where(np.arange(height) % 2, fields["out_dy_odd"], fields["out_dy_even"])
    line_start = np.concatenate([[0], np.cumsum(down + across[:-1].sum())[:-1]])
    in_line = np.concatenate([[0], np.cumsum(across[:-1])])
    borders = np.minimum(np.stack([y, height - 1 - y, x, width - 1 - x]), BORDER_MAX)
    return Pixels(
        read=fields["origin"] + origin + row,
        write=line_start[y] + in_line[x],
        group=group,
        row=row,
        borders=borders,
    )


def drained_order(group: NDArray[np.int64], row: NDArray[np.int64], column_groups: int) -> NDArray[np.int64]:
    """Order in which (pixel, column group) pairs drain: pixel group, column group, row.

    Returns
    -------
    array of int64, shape (pixels * column_groups,)
        Indices ``pixel * column_groups + column_group``.
    """
    pixels = len(group)
    column_group = np.tile(np.arange(column_groups), pixels)
    return np.lexsort((np.repeat(row, column_groups), column_group, np.repeat(group, column_groups)))


def drained_pairs(
    group: NDArray[np.int64],
    row: NDArray[np.int64],
    column_groups: int,
    writes: int,
    config: AcceleratorConfig,
) -> NDArray[np.int64]:
    """Order in which the writes of rows that drain side by side leave, ``writes`` of every row of a tile.

    Returns
    -------
    array of int64, shape (pixels * column_groups * writes,)
        Indices into the writes in the order of :func:`drained_order`.
    """
    order = drained_order(group, row, column_groups)
    rows = row[order // column_groups]
    tile = np.cumsum(rows == 0)
    keys = (rows % config.drain_rows, rows // config.drain_rows, tile)
    rank, pair, tile = (np.repeat(key, writes) for key in keys)
    return np.lexsort((rank, np.tile(np.arange(writes), len(order)), pair, tile))
