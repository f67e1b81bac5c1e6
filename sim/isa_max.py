"""COMPUTE in mode MAX, for all pixels at once: the largest level of each lane over its window (`docs/machine.md`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.checksum import checksum
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import BlockTaps
from ..hw.spec.pixels import BORDERS, walk_pixels
from .isa_memory import ActivationMemory, fold_codes
from .isa_records import MachineError, check_apart

__all__ = ["MaxPlan", "plan_max"]


@dataclass(frozen=True, kw_only=True)
class MaxPlan:
    """Everything of one MAX instruction that does not depend on activations.

    ``rows`` (n, positions, planes) are the words each output word is chosen from, ``valid`` (n, positions) which of the
    positions count, ``address`` (n, planes) where it goes; n runs over the output words in the order they are written,
    planes from the least significant.
    """

    rows: NDArray[np.int64]
    valid: NDArray[np.bool_]
    address: NDArray[np.int64]

    @property
    def read(self) -> list[NDArray[np.int64]]:
        """Rows of the activation memory that the core reads."""
        return [self.rows]

    def run(self, memory: ActivationMemory) -> int:
        """Compute and write all words; the checksum of what was written."""
        # Levels compare like their digits from the most significant down; so do the codes of lanes that nobody wrote.
        places = 1 << (memory.code_bits * np.arange(self.rows.shape[2], dtype=np.int32))
        order = np.einsum("ntdl,d->ntl", memory.ranks[memory.codes[self.rows]], places)
        order[~self.valid] = np.iinfo(np.int32).min
        winner = order.argmax(axis=1)
        rows = np.take_along_axis(self.rows, winner[:, :, None], axis=1)
        written = memory.codes[rows.swapaxes(1, 2), np.arange(winner.shape[1])].reshape(-1, winner.shape[1])
        memory.write_words(self.address.reshape(-1), written)
        return checksum(fold_codes(written, memory.code_bits))


def plan_max(
    config: AcceleratorConfig,
    fields: Mapping[str, int],
    blocks: Sequence[BlockTaps],
    pad_address: Callable[[int], int],
) -> MaxPlan:
    """Plan of a MAX instruction; parameters as `isa_mac.plan_mac` takes them.

    Raises
    ------
    MachineError
        If it has not just one block of whole window positions, which is neither fixed nor constant, if planes of one
        position need other borders, or no position of a pixel is valid, or if it reads what it writes.
    """
    planes, record = fields["planes"], blocks[0].fields
    if len(blocks) != 1 or record["groups"] != 1 or record["shift"] or record["tap_count"] % planes:
        raise MachineError("a MAX needs one block with one group, no shift and whole window positions of taps")
    if config.dynamic and (record["fixed"] or record["constant"]):
        raise MachineError("the block of a MAX is fixed or constant")
    pixels = walk_pixels(fields)
    column_groups = np.arange(fields["column_groups"])
    channel = column_groups // fields["channel_period"] * fields["channel_step"] + record["base"]
    # Taps come with the most significant plane first, words are written with the least significant first.
    taps = np.array([tap["offset"] for tap in blocks[0].taps]).reshape(-1, planes)[:, ::-1]
    borders = np.array([[tap[side] for side in BORDERS] for tap in blocks[0].taps]).reshape(-1, planes, len(BORDERS))
    valid = np.stack([pixels.valid(tap) for tap in blocks[0].taps[::planes]], axis=1)
    if (borders != borders[:, :1]).any():
        raise MachineError("the planes of a window position of a MAX need different borders")
    if not valid.any(axis=1).all():
        raise MachineError("a MAX has a pixel without a window position inside its tensor")
    address = pixels.read[:, None, None, None] + channel[:, None, None] + taps
    rows = np.where(valid[:, None, :, None], address % config.act_words, pad_address(record["pad_code"]))
    target = (
        fields["out_base"]
        + pixels.write[:, None, None]
        + (column_groups * fields["out_group_pitch"])[:, None]
        + np.arange(planes) * fields["out_plane_pitch"]
    ) % config.act_words
    check_apart([rows], target)
    words = len(pixels.read) * len(column_groups)
    return MaxPlan(
        rows=rows.reshape(words, -1, planes),
        valid=np.repeat(valid, len(column_groups), axis=0),
        address=target.reshape(words, planes),
    )
