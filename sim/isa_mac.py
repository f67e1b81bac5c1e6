"""COMPUTE in mode MAC, for all pixels at once: gather, matrix product, rescale, drain (`docs/machine.md`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.checksum import checksum
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import decode_param
from ..hw.spec.rounding import ROUNDINGS
from ..hw.spec.tables import TABLE_ENTRIES, TABLE_TOP, decode_table, look_up
from ..hw.spec.words import unpack_codes
from .isa_geometry import Pixels, drained_order, drained_pairs, walk_pixels
from .isa_memory import ActivationMemory, fold_codes
from .isa_records import BlockTaps, MachineError

__all__ = ["MacPlan", "plan_mac"]

_CHUNK_LEVELS = 1 << 19  # levels gathered at once: what a core's cache holds
_FLOAT32_EXACT = 1 << 24


@dataclass(frozen=True, kw_only=True)
class _Section:
    """Steps between two accumulator shifts, for one channel offset.

    ``rows`` (pixels, steps) are the words read; ``weights`` (steps * lanes, columns) the levels of column groups
    ``first`` ... side by side.
    """

    shifts: int
    rows: NDArray[np.int32]
    weights: NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class MacPlan:
    """Everything of one MAC instruction that does not depend on activations; made once, run for every sample."""

    acc_bits: int
    digit_shift: int
    columns: int
    rescalers: int
    sections: tuple[tuple[_Section, ...], ...]
    bias: NDArray[np.int64]
    multiplicand: NDArray[np.int64]
    shift: NDArray[np.int64]
    zero: int
    first_half: int
    codes: NDArray[np.uint8]
    order: NDArray[np.int64]
    pairs: NDArray[np.int64]
    address: NDArray[np.int64]
    granule: NDArray[np.int64]

    def run(self, memory: ActivationMemory) -> int:
        """Compute and drain all tiles; the checksum of what was written."""
        sums = np.concatenate([self._sums(memory, sections) for sections in self.sections], axis=1)
        value = (sums + self.bias) * self.multiplicand
        # A shift by 0 doubles the product, which may have 63 bits; what is cut off here lies far beyond every clamp.
        halves = np.clip(value >> np.maximum(self.shift - 1, 0), -(1 << 60), 1 << 60) << (self.shift == 0)
        index = np.clip(halves + (2 * self.zero - self.first_half), 0, len(self.codes) - 1)
        tiles = index.reshape(-1, self.columns)[self.order].reshape(len(self.order), -1, self.rescalers)
        written = self.codes[tiles].swapaxes(2, 3).reshape(-1, self.rescalers)[self.pairs]
        memory.write_granules(self.address, self.granule, written)
        return checksum(fold_codes(written, memory.code_bits))

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
        If it points beyond a memory, or would write a level that its planes cannot hold.
    """
    pixels = walk_pixels(fields)
    column_groups = np.arange(fields["column_groups"])
    channel = column_groups // fields["channel_period"] * fields["channel_step"]
    sections = tuple(
        tuple(
            _plan_sections(
                config, fields, blocks, pixels, offset, column_groups[channel == offset], weights, pad_address
            )
        )
        for offset in dict.fromkeys(channel.tolist())
    )
    entries = _params(config, fields, params)
    first_half, codes = _drain_codes(config, fields, tables)
    order = drained_order(pixels.group, pixels.row, len(column_groups))
    address, granule = _targets(config, fields, pixels)
    if config.drain_rows == 2:
        _check_pairs(config, pixels)
    pairs = drained_pairs(pixels.group, pixels.row, len(column_groups), fields["planes"] * config.tile_granules, config)
    return MacPlan(
        acc_bits=config.acc_bits,
        digit_shift=config.digits.shift,
        columns=config.columns,
        rescalers=config.rescalers,
        sections=sections,
        bias=entries[:, 0],
        multiplicand=entries[:, 1],
        shift=entries[:, 2],
        zero=fields["zero"],
        first_half=first_half,
        codes=codes,
        order=order,
        pairs=pairs,
        address=address[order].reshape(-1)[pairs],
        granule=granule[order].reshape(-1)[pairs],
    )


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
    """Sections of the column groups that share one channel offset."""
    sections: list[_Section] = []
    rows: list[NDArray[np.int64]] = []
    words: list[int] = []
    shifts = 0

    def close() -> None:
        if rows:
            levels = _weight_levels(config, weights, np.array(words)[:, None] + fields["weight_pitch"] * column_groups)
            sections.append(_Section(shifts=shifts, rows=np.stack(rows, axis=1).astype(np.int32), weights=levels))
            rows.clear()
            words.clear()

    for block in blocks:
        if block.fields["shift"]:
            close()
            shifts = 1
        record = block.fields
        pad = pad_address(record["pad_code"])
        valid = [pixels.valid(tap) for tap in block.taps]
        for group in range(record["groups"]):
            for number, tap in enumerate(block.taps):
                offset = channel + record["base"] + group * record["group_pitch"] + tap["offset"]
                rows.append(np.where(valid[number], (pixels.read + offset) % config.act_words, pad))
                index = group if record["hold"] else group * record["tap_count"] + number
                words.append(fields["weight_base"] + record["weight_base"] + index)
    close()
    return sections


def _weight_levels(
    config: AcceleratorConfig,
    weights: NDArray[np.uint32],
    words: NDArray[np.int64],
) -> NDArray[np.floating]:
    """Matrix (steps * lanes, column groups * columns) of the weight words (steps, column groups)."""
    if words.max() >= config.weight_words:
        raise MachineError(f"weight word {int(words.max())} is asked for, the memory has {config.weight_words}")
    codes = unpack_codes(weights[words], config.columns * config.lanes, config.code_bits)
    levels = config.digits.base.decode(codes.reshape(*words.shape, config.columns, config.lanes))
    matrix = levels.transpose(0, 3, 1, 2).reshape(len(words) * config.lanes, -1)
    bound = int(np.abs(matrix).sum(axis=0).max()) * config.digits.base.top
    return np.ascontiguousarray(matrix, dtype=np.float32 if bound < _FLOAT32_EXACT else np.float64)


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


def _check_pairs(config: AcceleratorConfig, pixels: Pixels) -> None:
    """See that rows that drain side by side are written to different banks."""
    second = np.flatnonzero(pixels.row % 2)
    same = (pixels.write[second] - pixels.write[second - 1]) % config.banks == 0
    if same.any():
        raise MachineError(f"output pixels {second[same][0] - 1} and {second[same][0]} are drained at once to one bank")


def _drain_codes(
    config: AcceleratorConfig, fields: Mapping[str, int], tables: NDArray[np.uint32]
) -> tuple[int, NDArray[np.uint8]]:
    """Codes (values of h, planes) written for ``h = first, first + 1, ...``; beyond both ends they stay the same."""
    low, high = fields["clamp_low"], fields["clamp_high"]
    if fields["uneven"]:
        levels = ROUNDINGS[fields["rounding"]].levels
        halves = np.arange(2 * int(levels[0]), 2 * int(levels[-1]) + 1)
        nearest = levels[np.searchsorted(levels[1:] + levels[:-1], halves, side="right")]
    else:
        halves = np.arange(2 * min(low, high), 2 * max(low, high) + 1)
        nearest = (halves + 1) >> 1
    written = np.clip(nearest, low, high)
    if fields["table"]:
        if np.abs(written).max() > TABLE_TOP:
            raise MachineError(f"integers from {low} to {high} are looked up, a table ends at {TABLE_TOP}")
        words = tables[(fields["table"] - 1) * TABLE_ENTRIES :][:TABLE_ENTRIES]
        written = look_up(decode_table(words, config.level_bits), written)
    try:
        planes = config.digits.to_planes(written, fields["planes"])
    except ValueError as error:
        raise MachineError(f"{error}: the output has {fields['planes']} planes") from error
    return int(halves[0]), np.ascontiguousarray(planes.T)


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
