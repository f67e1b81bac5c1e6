"""HeldSums: the sums of a COMPUTE in mode MAC whose blocks latch words and multiply with them (`docs/machine.md`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.held import latched_rows
from ..hw.spec.isa import BlockTaps
from ..hw.spec.pixels import BORDERS, Pixels
from ..hw.spec.words import unpack_codes
from .isa_diagonal import own_lanes, weight_rows
from .isa_memory import ActivationMemory
from .isa_records import MachineError

__all__ = ["HeldSums", "is_dynamic"]

_NOTHING = -1  # in place of the row that a column holds


def is_dynamic(config: AcceleratorConfig, blocks: Sequence[BlockTaps]) -> bool:
    """Whether a core knows of the held word, and some block uses it or what comes with it."""
    names = ("latch", "held", "fixed", "constant")
    return bool(config.dynamic) and any(block.fields[name] for block in blocks for name in names)


@dataclass(frozen=True, kw_only=True)
class _Step:
    """One step of a column group; addresses are rows of the activation memory.

    ``rows`` (pixels,) are the words read, ``weights`` (columns, lanes) the levels of the weight word. If what is held
    multiplies, ``held`` is the word of each column in each pixel group (groups, columns), or (1, columns) where that is
    the same in all.
    """

    shift: int
    rows: NDArray[np.int64]
    weights: NDArray[np.float64]
    held: NDArray[np.int64] | None

    @property
    def weighed(self) -> NDArray[np.int64]:
        """Words that some weight other than 0 meets."""
        columns = self.weights.any(axis=1)
        words = self.rows if columns.any() else self.rows[:0]
        return words if self.held is None else np.concatenate([words, self.held[:, columns].ravel()])


class HeldSums:
    """Steps of all column groups, one after the other; made once, run for every sample.

    Parameters
    ----------
    config : AcceleratorConfig
    fields : mapping
        Fields of the instruction (`isa.COMPUTE`).
    blocks : sequence of BlockTaps
    pixels : Pixels
    weights : array of uint32, shape (n, beats)
        The weight memory.
    pad_address : callable
        Row of the activation memory that holds a code in all lanes.

    Raises
    ------
    MachineError
        If a weight of a block that is held is not -1, 0 or 1, if it multiplies what was never latched, or if a tap with
        borders latches.

    Attributes
    ----------
    read : list of arrays of int
        Rows of the activation memory that the core reads, whatever their weights.
    """

    def __init__(
        self,
        config: AcceleratorConfig,
        fields: Mapping[str, int],
        blocks: Sequence[BlockTaps],
        pixels: Pixels,
        weights: NDArray[np.uint32],
        pad_address: Callable[[int], int],
    ) -> None:
        self._config, self._fields, self._pixels, self._pad_address = config, fields, pixels, pad_address
        self._weights = weights
        self.read: list[NDArray[np.int64]] = []
        _, first = np.unique(pixels.group, return_index=True)
        self._origins = pixels.read[first]  # where row 0 of each group reads
        self._groups = [self._steps(number, blocks) for number in range(fields["column_groups"])]

    def run(self, memory: ActivationMemory) -> NDArray[np.int64]:
        """Final sums of shape (pixels, column groups * columns)."""
        half = 1 << (self._config.acc_bits - 1)
        total = np.concatenate([self._sums(memory, steps) for steps in self._groups], axis=1)
        return ((total + half) & (2 * half - 1)) - half

    @property
    def weighed(self) -> list[NDArray[np.int64]]:
        """Words read that some weight other than 0 meets, step by step."""
        return [step.weighed for steps in self._groups for step in steps]

    def _sums(self, memory: ActivationMemory, steps: Sequence[_Step]) -> NDArray[np.int64]:
        total = np.zeros((len(self._pixels.row), self._config.columns), dtype=np.int64)
        mask = (1 << self._config.acc_bits) - 1
        for step in steps:
            x = memory.levels[step.rows].astype(np.float64)
            if step.held is None:
                product = x @ step.weights.T
            else:
                w = memory.levels[step.held] * step.weights
                product = x @ w[0].T if len(w) == 1 else np.einsum("pl,pcl->pc", x, w[self._pixels.group])
            total = ((total << step.shift) + product.astype(np.int64)) & mask
        return total

    def _steps(self, column_group: int, blocks: Sequence[BlockTaps]) -> list[_Step]:
        config, fields = self._config, self._fields
        period = column_group // fields["channel_period"]
        channel, fixed = period * fields["channel_step"], period * fields["fixed_step"]
        held = np.full((1, config.columns), _NOTHING, dtype=np.int64)
        steps = []
        for block in blocks:
            record = block.fields
            pad = self._pad_address(record["pad_code"])
            for number in range(record["groups"] * record["tap_count"]):
                group, tap = divmod(number, record["tap_count"])
                word = group if record["hold"] else number
                weights = self._levels(column_group, record["weight_base"] + word)
                step = _Step(
                    shift=config.digit_shift if record["shift"] and not number else 0,
                    rows=np.full(len(self._pixels.row), pad),
                    weights=weights,
                    held=held if record["held"] else None,
                )
                offset = record["base"] + group * record["group_pitch"] + block.taps[tap]["offset"]
                origins = np.array([fixed]) if record["fixed"] else self._origins + channel
                if not record["constant"]:
                    own = fixed + self._pixels.row if record["fixed"] else self._pixels.read + channel
                    inside = self._pixels.valid(block.taps[tap])
                    step = replace(step, rows=np.where(inside, (own + offset) % config.act_words, pad))
                self._check(step)
                steps.append(step)
                self.read.append(step.rows)
                if record["latch"]:
                    if any(block.taps[tap][side] for side in BORDERS):
                        raise MachineError("a tap with borders latches")
                    held = self._latched(held, origins + offset, record["alike"], pad if record["constant"] else None)
        return steps

    def _latched(
        self, held: NDArray[np.int64], address: NDArray[np.int64], alike: int, pad: int | None
    ) -> NDArray[np.int64]:
        """What the columns hold after a step that reads from ``address`` (groups,) on."""
        count = self._config.columns if alike else latched_rows(self._config)
        rows = np.zeros(count, dtype=np.int64) if alike else np.arange(count)
        words = (address[:, np.newaxis] + rows) % self._config.act_words
        if pad is not None:
            words = np.full_like(words, pad)
        self.read.append(words)
        kept = np.broadcast_to(held[:, count:], (max(len(held), len(words)), held.shape[1] - count))
        return np.concatenate([kept, np.broadcast_to(words, (len(kept), count))], axis=1)

    def _check(self, step: _Step) -> None:
        if step.held is None:
            return
        if np.abs(step.weights).max() > 1:
            raise MachineError(f"a held word meets a weight of {int(np.abs(step.weights).max())}: it takes -1, 0 and 1")
        if (step.held[:, step.weights.any(axis=1)] == _NOTHING).any():
            raise MachineError("a block multiplies with a word that none before it has latched")

    def _levels(self, column_group: int, word: int) -> NDArray[np.float64]:
        config, fields = self._config, self._fields
        address = fields["weight_base"] + int(weight_rows(config, fields, column_group)) * fields["weight_pitch"] + word
        if address >= config.weight_words:
            raise MachineError(f"weight word {address} is asked for, the memory has {config.weight_words}")
        codes = unpack_codes(self._weights[address : address + 1], config.columns * config.lanes, config.weight_bits)
        levels = config.weight_digits.base.decode(codes.reshape(config.columns, config.lanes))
        return np.where(own_lanes(config, fields, column_group), levels, 0).astype(np.float64)
