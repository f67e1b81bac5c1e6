"""safe_steps: how many steps of a COMPUTE read nothing that the one before may still have to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .config import AcceleratorConfig
from .isa import COMPUTE, BlockTaps, Mode
from .pipeline import pipeline
from .pixels import Pixels, walk_pixels

__all__ = ["front_cycles", "safe_steps"]

_DYNAMIC = ("latch", "held", "fixed", "constant")


def front_cycles(config: AcceleratorConfig) -> int:
    """Fewest cycles from the last step of a COMPUTE to the first of the next: it is handed over, its first block and
    group are fetched."""
    plan = pipeline(config)
    return plan.finish + plan.fetch + 6


def safe_steps(
    config: AcceleratorConfig,
    before: Mapping[str, int],
    steps_before: int,
    fields: Mapping[str, int],
    blocks: Sequence[BlockTaps],
) -> int:
    """Steps of a COMPUTE that may come before the one before it has written its last word.

    A tile's last step is none of them, since the drain behind it is told what to do by one instruction at a time; nor
    is any step of a MAX behind a MAC or of a MAC behind a MAX. The n-th step comes `front_cycles` + n behind the last
    one of the COMPUTE before at the earliest; tiles before that one are as many cycles apart as they have steps, or as
    they drain, whichever is more.

    Parameters
    ----------
    config : AcceleratorConfig
        Of a core that issues steps early.
    before, fields : mapping
        Fields of the two (`isa.COMPUTE`), which the core executes without a fault.
    steps_before : int
        Words that the one before reads for one tile.
    blocks : sequence of BlockTaps
        Of the second.

    Returns
    -------
    int
        As many as the field ``early`` may say, at most.
    """
    most = min(sum(block.steps for block in blocks) - 1, COMPUTE["early"].high)
    if before["mode"] != fields["mode"] or most <= 0:
        return 0
    late = _landings(config, before, steps_before)
    first_read = front_cycles(config) + pipeline(config).access
    safe = 0
    for words in _reads(config, fields, blocks):
        if safe == most or late[words].max(initial=-1) >= first_read + safe:
            break
        safe += 1
    return safe


def _writes(config: AcceleratorConfig, fields: Mapping[str, int], pixels: Pixels) -> NDArray[np.int64]:
    """Words that the tiles of a COMPUTE with these ``pixels`` write.

    Returns
    -------
    array of int64, shape (pixels, column_groups, words)
        Addresses by output pixel in line order; a word that is written in parts may be there more than once.
    """
    column_groups = np.arange(fields["column_groups"])
    if fields["mode"] == Mode.MAX:
        groups = column_groups[:, np.newaxis]
    else:
        granule = fields["out_granule"] + column_groups[:, np.newaxis] * config.tile_granules
        groups = (granule + np.arange(config.tile_granules)) // config.granules
    within = groups[:, :, np.newaxis] * fields["out_group_pitch"]
    within = within + np.arange(fields["planes"]) * fields["out_plane_pitch"]
    address = fields["out_base"] + pixels.write[:, np.newaxis, np.newaxis] + within.reshape(len(within), -1)
    return address % config.act_words


def _landings(config: AcceleratorConfig, before: Mapping[str, int], steps: int) -> NDArray[np.int64]:
    """For each activation word the last cycle, from the last step on, in which it may be written; -1 for the others."""
    plan, is_max = pipeline(config), before["mode"] == Mode.MAX
    drain = -(-before["rows"] // config.drain_rows) * before["planes"] * (1 if is_max else config.tile_granules)
    behind = plan.results(is_max=is_max) + plan.to_banks
    pixels = walk_pixels(before)
    written = _writes(config, before, pixels)
    tile = pixels.group[:, np.newaxis] * before["column_groups"] + np.arange(before["column_groups"])
    tile = np.broadcast_to(tile[:, :, np.newaxis], written.shape)
    landings = np.full(config.act_words, -1, dtype=np.int64)
    ends = behind + drain - 1 - (tile.max() - tile) * max(steps, drain)
    np.maximum.at(landings, written.ravel(), ends.ravel())
    return landings


def _reads(
    config: AcceleratorConfig, fields: Mapping[str, int], blocks: Sequence[BlockTaps]
) -> Iterator[NDArray[np.int64]]:
    """Activation words that the steps of the first tile read, up to a block of dynamic weights."""
    pixels = walk_pixels(fields)
    first = pixels.group == 0
    for block in blocks:
        record = block.fields
        if config.dynamic and any(record[name] for name in _DYNAMIC):
            return
        for group in range(record["groups"]):
            for tap in block.taps:
                offset = record["base"] + group * record["group_pitch"] + tap["offset"]
                yield (pixels.read[first & pixels.valid(tap)] + offset) % config.act_words
