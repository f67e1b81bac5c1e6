"""COMPUTE in mode MAC, for all pixels at once: gather, matrix product, rescale, drain (`docs/machine.md`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.checksum import checksum
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import BlockTaps, decode_param
from ..hw.spec.pixels import BORDERS, Pixels, drained_order, drained_pairs, walk_pixels
from ..hw.spec.rounding import ROUNDINGS
from ..hw.spec.tables import TABLE_ENTRIES, decode_table, look_up
from ..hw.spec.words import unpack_codes
from .isa_diagonal import own_lanes, weight_rows
from .isa_held import HeldSums, is_dynamic
from .isa_memory import ActivationMemory, fold_codes
from .isa_records import MachineError, check_apart

__all__ = ["MacPlan", "plan_mac", "weight_words"]

_CHUNK_LEVELS = 1 << 19  # levels gathered at once: what a core's cache holds
_FLOAT32_EXACT, _FLOAT64_EXACT = 1 << 24, 1 << 53
_SHIFT_MAX = 53  # what no weight is shifted by, so that 64 bits hold it


@dataclass(frozen=True, kw_only=True)
class _Section:
    """Steps after which the accumulator is shifted equally often, for one channel offset.

    ``shifts`` are those between the section before and this one; ``rows`` (pixels, steps) the words read; ``weights``
    (steps * lanes, columns) what multiplies them, the column groups side by side. Where the core reads a word several
    times, with other digits of the same weights, the weights here are the sum of these digits, each in its place.
    """

    shifts: int
    rows: NDArray[np.int32]
    weights: NDArray[np.floating]

    @property
    def weighed(self) -> NDArray[np.int32]:
        """The words read that have any weight; what an idle step reads does not matter."""
        return self.rows[:, self.weights.reshape(self.rows.shape[1], -1).any(axis=1)]


@dataclass(frozen=True, kw_only=True)
class MacPlan:
    """Everything of one MAC instruction that does not depend on activations; made once, run for every sample.

    ``codes`` (planes, values) are those of clamped halves of levels from ``first_half`` on. Of all results' codes, of
    shape (planes, pixels, channels) and cut into granules, ``drained`` names those written one after the other, and
    ``places`` where to; ``entries`` (values,) are the words of the tables that these are looked up in, if they are.
    Sums are those of ``sections``, or with dynamic weights of ``held``.
    """

    acc_bits: int
    digit_shift: int
    rescalers: int
    sections: tuple[tuple[_Section, ...], ...]
    held: HeldSums | None
    bias: NDArray[np.int64]
    multiplicand: NDArray[np.int64]
    shift: NDArray[np.int64]
    zero: int
    first_half: int
    codes: NDArray[np.uint8]
    drained: NDArray[np.int64]
    places: NDArray[np.int64]
    entries: NDArray[np.int64]

    @property
    def read(self) -> list[NDArray[np.integer]]:
        """Rows of the activation memory that the core reads, whatever their weights."""
        if self.held is not None:
            return list(self.held.read)
        return [section.rows for sections in self.sections for section in sections]

    def looked_up(self, memory: ActivationMemory) -> NDArray[np.int64]:
        """Words of the tables that results are looked up in."""
        return self.entries[np.unique(self._halves(memory))] if self.entries.size else self.entries

    def run(self, memory: ActivationMemory) -> int:
        """Compute and drain all tiles; the checksum of what was written."""
        # Planes of the codes of all results, cut into granules, of which `drained` says which leaves when.
        codes = self.codes.take(self._halves(memory), axis=1)
        written = codes.reshape(-1, self.rescalers)[self.drained]
        memory.write_granules(self.places, written)
        return checksum(fold_codes(written, memory.code_bits))

    def _halves(self, memory: ActivationMemory) -> NDArray[np.int64]:
        """Results of all tiles as columns of ``codes``."""
        if self.held is not None:
            value = self.held.run(memory)
        else:
            parts = [self._sums(memory, sections) for sections in self.sections]
            value = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        value += self.bias
        value *= self.multiplicand
        # A shift by 0 doubles the product, which may have 63 bits; what is cut off here lies far beyond every clamp.
        value >>= np.maximum(self.shift - 1, 0)
        if not self.shift.all():
            value = np.clip(value, -(1 << 60), 1 << 60) << (self.shift == 0)
        value += 2 * self.zero - self.first_half
        return np.clip(value, 0, self.codes.shape[1] - 1, out=value)

    def _sums(self, memory: ActivationMemory, sections: Sequence[_Section]) -> NDArray[np.int64]:
        total = np.zeros((len(sections[0].rows), sections[0].weights.shape[1]), dtype=np.int64)
        for section in sections:
            total <<= self.digit_shift * section.shifts
            total += _product(memory, section)
        half = 1 << (self.acc_bits - 1)
        return ((total + half) & ((1 << self.acc_bits) - 1)) - half


def _product(memory: ActivationMemory, section: _Section) -> NDArray[np.int64]:
    pixels = len(section.rows)
    inputs, columns = section.weights.shape
    chunk = max(1, _CHUNK_LEVELS // max(inputs, 1))
    product = np.empty((pixels, columns), dtype=np.int64)
    for first in range(0, pixels, chunk):
        gathered = memory.levels[section.rows[first : first + chunk]].reshape(-1, inputs)
        product[first : first + chunk] = gathered.astype(section.weights.dtype, copy=False) @ section.weights
    return product


def plan_mac(
    config: AcceleratorConfig,
    fields: Mapping[str, int],
    blocks: Sequence[BlockTaps],
    weights: NDArray[np.uint32],
    params: NDArray[np.uint32],
    tables: NDArray[np.uint32],
    pad_address: Callable[[int], int],
) -> MacPlan:
    """Plan of a MAC instruction.

    Parameters
    ----------
    config : AcceleratorConfig
    fields : mapping
        Fields of the instruction (`isa.COMPUTE`).
    blocks : sequence of BlockTaps
    weights, params, tables : arrays of uint32, shape (n, beats)
        The memories.
    pad_address : callable
        Row of the activation memory that holds a code in all lanes.

    Raises
    ------
    MachineError
        If it points beyond a memory, reads what it writes, or would write a level that its planes cannot hold.
    """
    pixels = walk_pixels(fields)
    column_groups = np.arange(fields["column_groups"])
    channel = column_groups // fields["channel_period"] * fields["channel_step"]
    held = HeldSums(config, fields, blocks, pixels, weights, pad_address) if is_dynamic(config, blocks) else None
    offsets = () if held else dict.fromkeys(channel.tolist())
    sections = tuple(
        tuple(
            _plan_sections(
                config, fields, blocks, pixels, offset, column_groups[channel == offset], weights, pad_address
            )
        )
        for offset in offsets
    )
    entries = _params(config, fields, params)
    first_half, codes, entries_read = _drain_codes(config, fields, tables)
    order = drained_order(pixels.group, pixels.row, len(column_groups))
    address, granule = _targets(config, fields, pixels)
    _check_rows_apart(config, pixels)
    check_apart(held.weighed if held else (section.weighed for part in sections for section in part), address)
    pairs = drained_pairs(pixels.group, pixels.row, len(column_groups), fields["planes"] * config.tile_granules, config)
    return MacPlan(
        acc_bits=config.acc_bits,
        digit_shift=config.digit_shift,
        rescalers=config.rescalers,
        sections=sections,
        held=held,
        bias=entries[:, 0],
        multiplicand=entries[:, 1],
        shift=entries[:, 2],
        zero=fields["zero"],
        first_half=first_half,
        codes=codes,
        drained=np.arange(address.size)
        .reshape(fields["planes"], -1, config.tile_granules)[:, order]
        .transpose(1, 2, 0)
        .reshape(-1)[pairs],
        places=(address * config.granules + granule)[order].reshape(-1)[pairs],
        entries=entries_read,
    )


def weight_words(config: AcceleratorConfig, fields: Mapping[str, int], blocks: Sequence[BlockTaps]) -> set[int]:
    """Words of the weight memory that a MAC instruction reads."""
    words = set()
    for block in blocks:
        record = block.fields
        count = record["groups"] if record["hold"] else block.steps
        for column_group in range(fields["column_groups"]):
            row = int(weight_rows(config, fields, column_group))
            first = fields["weight_base"] + row * fields["weight_pitch"] + record["weight_base"]
            words.update(range(first, first + count))
    return words


def _plan_sections(
    config: AcceleratorConfig,
    fields: Mapping[str, int],
    blocks: Sequence[BlockTaps],
    pixels: Pixels,
    channel: int,
    column_groups: NDArray[np.int64],
    weights: NDArray[np.uint32],
    pad_address: Callable[[int], int],
) -> list[_Section]:
    """Sections of the column groups that share one channel offset, the first shifted most."""
    steps: dict[_Read, list[tuple[int, int]]] = {}
    shifts = 0
    for block in blocks:
        record = block.fields
        shifts += record["shift"]
        for group in range(record["groups"]):
            for number, tap in enumerate(block.taps):
                offset = channel + record["base"] + group * record["group_pitch"] + tap["offset"]
                index = group if record["hold"] else group * record["tap_count"] + number
                read = _Read(offset, tuple(tap[side] for side in BORDERS), pad_address(record["pad_code"]))
                word = fields["weight_base"] + record["weight_base"] + index
                steps.setdefault(read, []).append((shifts, word))
    # How often what a step adds is shifted until the end; weights that meet the same word are one number.
    later = {read: [(shifts - before, word) for before, word in entries] for read, entries in steps.items()}
    reads = [(min(count for count, _ in entries), read, entries) for read, entries in later.items()]
    try:
        return _sections(config, fields, pixels, column_groups, weights, reads)
    except OverflowError:
        apart = [(count, read, [(count, word)]) for read, entries in later.items() for count, word in entries]
        return _sections(config, fields, pixels, column_groups, weights, apart)


class _Read(NamedTuple):
    """A word of activations as a tap reads it for all pixels: its offset, borders needed, and what is read beyond."""

    offset: int
    borders: tuple[int, ...]
    pad: int

    def rows(self, pixels: Pixels, act_words: int) -> NDArray[np.int64]:
        """Rows of the activation memory, of shape (pixels,)."""
        valid = pixels.valid(dict(zip(BORDERS, self.borders, strict=True)))
        return np.where(valid, (pixels.read + self.offset) % act_words, self.pad)


def _sections(
    config: AcceleratorConfig,
    fields: Mapping[str, int],
    pixels: Pixels,
    column_groups: NDArray[np.int64],
    weights: NDArray[np.uint32],
    reads: list[tuple[int, _Read, list[tuple[int, int]]]],
) -> list[_Section]:
    """Sections of reads, each with the shifts that all its weights have left, and those with the shifts of each.

    Raises
    ------
    OverflowError
        If a sum could pass 2**53.
    """
    sections, last = [], max(count for count, *_ in reads)
    for left in sorted({count for count, *_ in reads}, reverse=True):
        own = [(read, entries) for count, read, entries in reads if count == left]
        rows = np.stack([read.rows(pixels, config.act_words) for read, _ in own], axis=1)
        words = np.array([word for _, entries in own for _, word in entries])
        more = np.array([count - left for _, entries in own for count, _ in entries])
        first = np.cumsum([0, *(len(entries) for _, entries in own[:-1])])
        if config.digit_shift * more.max() >= _SHIFT_MAX:
            raise OverflowError
        addresses = words[:, None] + fields["weight_pitch"] * weight_rows(config, fields, column_groups)
        levels = _weight_levels(config, weights, addresses, own_lanes(config, fields, column_groups))
        shifted = levels << (config.digit_shift * more)[:, None, None]
        matrix = np.add.reduceat(shifted, first, axis=0).reshape(len(own) * config.lanes, -1)
        sections.append(_Section(shifts=last - left, rows=rows.astype(np.int32), weights=_exact(config, matrix)))
        last = left
    return sections


def _exact(config: AcceleratorConfig, matrix: NDArray[np.int64]) -> NDArray[np.floating]:
    """Weights in a type in which no sum of products with levels of the base is rounded."""
    bound = int(np.abs(matrix).sum(axis=0).max()) * -config.digits.base.bottom
    if bound >= _FLOAT64_EXACT:
        raise OverflowError
    return np.ascontiguousarray(matrix, dtype=np.float32 if bound < _FLOAT32_EXACT else np.float64)


def _weight_levels(
    config: AcceleratorConfig,
    weights: NDArray[np.uint32],
    words: NDArray[np.int64],
    lanes: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Levels (steps, lanes, column groups * columns) of the weight words (steps, column groups), 0 but in the lanes
    (column groups, lanes) that count."""
    if words.max() >= config.weight_words:
        raise MachineError(f"weight word {int(words.max())} is asked for, the memory has {config.weight_words}")
    codes = unpack_codes(weights[words], config.columns * config.lanes, config.weight_bits)
    levels = config.weight_digits.base.decode(codes.reshape(*words.shape, config.columns, config.lanes))
    levels = np.where(lanes[:, np.newaxis], levels, 0)
    return levels.transpose(0, 3, 1, 2).reshape(len(words), config.lanes, -1)


def _params(config: AcceleratorConfig, fields: Mapping[str, int], params: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Bias, multiplicand and shift of every channel that drains, of shape (channels, 3)."""
    first, count = fields["param_base"], fields["column_groups"] * config.tile_granules
    if first + count > config.param_words:
        raise MachineError(f"parameter word {first + count - 1} is asked for, the memory has {config.param_words}")
    entries = []
    for word in params[first : first + count]:
        bits = int.from_bytes(word.astype("<u4").tobytes(), "little")
        for number in range(config.rescalers):
            entry = bits >> (number * config.param_bits) & ((1 << config.param_bits) - 1)
            entries.append(
                decode_param(
                    entry, bias_width=config.bias_width, rescale_bits=config.rescale_bits, shift_bits=config.shift_bits
                )
            )
    return np.array(entries, dtype=np.int64)


def _check_rows_apart(config: AcceleratorConfig, pixels: Pixels) -> None:
    """See that rows that drain side by side are written to different banks."""
    for distance in range(1, config.drain_rows):
        later = np.flatnonzero(pixels.row % config.drain_rows >= distance)
        same = (pixels.write[later] - pixels.write[later - distance]) % config.banks == 0
        if same.any():
            pixel = int(later[same][0])
            raise MachineError(f"output pixels {pixel - distance} and {pixel} are drained at once to one bank")


def _drain_codes(
    config: AcceleratorConfig, fields: Mapping[str, int], tables: NDArray[np.uint32]
) -> tuple[int, NDArray[np.uint8], NDArray[np.int64]]:
    """Codes (planes, values of h) written for ``h = first, first + 1, ...``; beyond both ends they stay the same. And
    the words of the tables where they are found, if they are."""
    low, high = fields["clamp_low"], fields["clamp_high"]
    if fields["uneven"]:
        levels = ROUNDINGS[fields["rounding"]].levels
        halves = np.arange(2 * int(levels[0]), 2 * int(levels[-1]) + 1)
        nearest = levels[np.searchsorted(levels[1:] + levels[:-1], halves, side="right")]
    else:
        halves = np.arange(2 * low, 2 * high + 1)
        nearest = (halves + 1) >> 1
    written = np.clip(nearest, low, high)
    entries = np.zeros(0, dtype=np.int64)
    if fields["table"]:
        entries = TABLE_ENTRIES * (fields["table"] - 1) + TABLE_ENTRIES // 2 * (written < 0) + np.abs(written)
        words = tables[(fields["table"] - 1) * TABLE_ENTRIES :][:TABLE_ENTRIES]
        written = look_up(decode_table(words, config.level_bits), written)
    try:
        planes = config.digits.to_planes(written, fields["planes"])
    except ValueError as error:
        raise MachineError(f"{error}: the output has {fields['planes']} planes") from error
    return int(halves[0]), planes, entries


def _targets(
    config: AcceleratorConfig,
    fields: Mapping[str, int],
    pixels: Pixels,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Address and granule of each write, both of shape (pixels * column groups, tile granules, planes)."""
    granules = fields["out_granule"] + np.arange(fields["column_groups"] * config.tile_granules)
    planes = np.arange(fields["planes"])
    address = (
        fields["out_base"]
        + pixels.write[:, None, None]
        + planes * fields["out_plane_pitch"]
        + (granules // config.granules * fields["out_group_pitch"])[:, None]
    ) % config.act_words
    shape = (len(pixels.write) * fields["column_groups"], config.tile_granules, fields["planes"])
    granule = np.broadcast_to((granules % config.granules)[:, None], address.shape)
    return address.reshape(shape), granule.reshape(shape)
