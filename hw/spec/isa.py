"""Instruction set: the records a program consists of, and their binary layout.

A program is four tables that the core reads: instructions, blocks, taps and channel parameters, and a weight image.
Every record is a row of 32-bit words whose fields the tables below place; hardware, compiler, ISA model and
disassembler all read them here. `docs/machine.md` says what the fields mean when the machine runs.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .errors import NarrowsError

__all__ = [
    "BLOCK",
    "BORDER_MAX",
    "BlockTaps",
    "COMPUTE",
    "END",
    "INSTRUCTION_WORDS",
    "LOAD",
    "RECORDS",
    "STORE",
    "TAP",
    "Field",
    "IsaError",
    "Mode",
    "Opcode",
    "Record",
    "Unit",
    "blocks_of",
    "decode_instruction",
    "encode_param",
    "decode_param",
]

INSTRUCTION_WORDS = 16
"""32-bit words of an instruction; unused ones are zero."""

BORDER_MAX = 15
"""Distances of an output pixel from a border saturate here; a tap can ask for no more."""


class IsaError(NarrowsError, ValueError):
    """A value that does not fit its field, or a record that is not one."""


class Opcode(enum.IntEnum):
    """What an instruction does."""

    END = 0
    COMPUTE = 1
    LOAD = 2
    STORE = 3


class Unit(enum.IntEnum):
    """Who executes an instruction. Tokens pass round the ring loader, compute, storer: each unit has one before it and
    one behind it."""

    LOADER = 0
    COMPUTE = 1
    STORER = 2


class Mode(enum.IntEnum):
    """What a COMPUTE does with the words it reads."""

    MAC = 0
    MAX = 1


@dataclass(frozen=True)
class Field:
    """One field of a record: ``width`` bits from bit ``lsb`` of 32-bit word ``word``; a core without
    `AcceleratorConfig.dynamic` knows nothing of ``dynamic`` ones, which are 0 in its programs."""

    name: str
    word: int
    lsb: int
    width: int
    doc: str
    signed: bool = False
    dynamic: bool = False

    @property
    def low(self) -> int:
        """Smallest value it holds."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value it holds."""
        return (1 << (self.width - self.signed)) - 1


@dataclass(frozen=True)
class Record:
    """Layout of a record of ``words`` 32-bit words."""

    name: str
    words: int
    fields: tuple[Field, ...]

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Field names in layout order."""
        return tuple(field.name for field in self.fields)

    def of_cores(self, *, dynamic: bool) -> tuple[Field, ...]:
        """Fields that cores with or without dynamic weights know."""
        return tuple(field for field in self.fields if dynamic or not field.dynamic)

    def encode(self, values: Mapping[str, int]) -> list[int]:
        """32-bit words of a record; fields that ``values`` leaves out are 0.

        Raises
        ------
        IsaError
            If a name is unknown or a value does not fit its field.
        """
        for name in values:
            if name not in self.names:
                raise IsaError(f"{self.name} has no field {name!r}")
        words = [0] * self.words
        for field in self.fields:
            value = int(values.get(field.name, 0))
            if not field.low <= value <= field.high:
                raise IsaError(f"{self.name}.{field.name} must be {field.low} to {field.high}, not {value}")
            words[field.word] |= (value & ((1 << field.width) - 1)) << field.lsb
        return words

    def decode(self, words: Sequence[int]) -> Mapping[str, int]:
        """Field values of a record; the inverse of :meth:`encode`.

        Raises
        ------
        IsaError
            If the number of words is wrong.
        """
        if len(words) != self.words:
            raise IsaError(f"{self.name} has {self.words} words, not {len(words)}")
        values = {}
        for field in self.fields:
            value = (int(words[field.word]) >> field.lsb) & ((1 << field.width) - 1)
            values[field.name] = value - (1 << field.width) if field.signed and value > field.high else value
        return MappingProxyType(values)


_COMMON = (
    Field("opcode", 0, 0, 3, "Opcode"),
    Field("wait_prev", 0, 3, 1, "take a token from the unit before (Unit) before starting"),
    Field("wait_next", 0, 4, 1, "take a token from the unit behind before starting"),
    Field("post_prev", 0, 5, 1, "give the unit before a token when done"),
    Field("post_next", 0, 6, 1, "give the unit behind a token when done"),
)

END = Record("END", INSTRUCTION_WORDS, _COMMON)

COMPUTE = Record(
    "COMPUTE",
    INSTRUCTION_WORDS,
    (
        *_COMMON,
        Field("mode", 0, 7, 1, "Mode: MAC (multiply-accumulate, rescale) or MAX (max-pool)"),
        Field("wrap", 0, 8, 1, "1: pixel groups run on over line ends; 0: a group ends with its line"),
        Field("uneven", 0, 9, 1, "1: round to levels that get sparser, as `rounding` says; 0: to integers"),
        Field("rounding", 0, 10, 4, "number of the rounding: 1 to 8 DyBit of so many magnitude bits, else minifloats"),
        Field("planes", 0, 14, 4, "digit planes of the output tensor, 1 to config.planes"),
        Field("cert_bits", 0, 18, 6, "accumulator width that the certificate asks for"),
        Field("rows", 0, 24, 8, "pixels in a full group, 1 to config.rows (1 for MAX)"),
        Field("out_height", 1, 0, 16, "output lines"),
        Field("out_width", 1, 16, 16, "output pixels in a line"),
        Field("first_block", 2, 0, 16, "index of the first block"),
        Field("block_count", 2, 16, 16, "blocks run for every tile, at least 1"),
        Field(
            "origin", 3, 0, 32, "activation address of row 0 for the first group, before block and tap offsets", True
        ),
        Field("origin_step", 4, 0, 16, "added to the origin from one group to the next in a line", True),
        Field("origin_line", 4, 16, 16, "added instead after the last group of a line when wrap is 0", True),
        Field("column_groups", 5, 0, 12, "tiles of config.columns output channels (MAX: channel groups)"),
        Field("channel_period", 5, 12, 12, "column groups after which the channel offset advances, at least 1"),
        Field("channel_step", 6, 0, 16, "added to the channel offset each channel_period column groups", True),
        Field("weight_pitch", 6, 16, 16, "weight words from one column group (diagonal: channel period) to the next"),
        Field("weight_base", 7, 0, 16, "weight word of column group 0"),
        Field("param_base", 7, 16, 16, "parameter word of the first granule of column group 0"),
        Field("out_base", 8, 0, 16, "activation address of output pixel 0, plane 0, channel group 0"),
        Field("out_granule", 8, 16, 8, "granule of the output word that the first channels go to"),
        Field("out_dx_even", 9, 0, 16, "output address step from an even x to the next pixel", True),
        Field("out_dx_odd", 9, 16, 16, "output address step from an odd x to the next pixel", True),
        Field(
            "out_dy_even", 10, 0, 16, "output address step from the last pixel of an even line to the next line", True
        ),
        Field(
            "out_dy_odd", 10, 16, 16, "output address step from the last pixel of an odd line to the next line", True
        ),
        Field("out_plane_pitch", 11, 0, 16, "output words from one digit plane to the next"),
        Field("out_group_pitch", 11, 16, 16, "output words from one channel group of `lanes` channels to the next"),
        Field("zero", 12, 0, 16, "zero level Z of the output", True),
        Field("table", 12, 16, 4, "1 to config.tables: results, as integers, are looked up there; 0: they are not"),
        Field(
            "diagonal", 12, 20, 1, "1: a channel period shares its weight words; each column group has its own lanes"
        ),
        Field("early", 12, 21, 6, "steps that need not wait for the last writes of the COMPUTE before"),
        Field("clamp_low", 13, 0, 16, "lowest output level", True),
        Field("clamp_high", 13, 16, 16, "highest output level", True),
        Field("fixed_step", 14, 0, 16, "added to the fixed offset each channel_period column groups", True, True),
    ),
)

_TRANSFER = (
    *_COMMON,
    Field("memory", 0, 7, 3, "registers.Region of the on-chip memory: WEIGHTS, PARAMS or ACTIVATIONS"),
    Field("address", 1, 0, 16, "on-chip word that the first line begins with"),
    Field("pitch", 1, 16, 16, "on-chip words from one line to the next"),
    Field("external", 2, 0, 32, "byte of the window that the first line begins with"),
    Field("count", 3, 0, 16, "words in a line, at least 1"),
    Field("lines", 3, 16, 16, "lines, at least 1"),
    Field("external_pitch", 4, 0, 32, "bytes from one line to the next, modulo 2**32"),
)
LOAD = Record("LOAD", INSTRUCTION_WORDS, _TRANSFER)
STORE = Record("STORE", INSTRUCTION_WORDS, _TRANSFER)

BLOCK = Record(
    "BLOCK",
    4,
    (
        Field("base", 0, 0, 16, "added to the origin for every step of the block", True),
        Field("group_pitch", 0, 16, 16, "added for each further channel group"),
        Field("weight_base", 1, 0, 16, "weight word of the first step, relative to the column group's"),
        Field("groups", 1, 16, 12, "channel groups, at least 1: the outer loop"),
        Field("shift", 1, 28, 1, "shift the accumulators left by one digit before the first step"),
        Field("hold", 1, 29, 1, "1: all taps of a group share one weight word; 0: a word each"),
        Field("first_tap", 2, 0, 12, "index of the first tap"),
        Field("tap_count", 2, 12, 12, "taps, at least 1: the inner loop"),
        Field("pad_code", 2, 24, 8, "code that replaces what a row reads where the tap is outside its tensor"),
        Field("latch", 3, 0, 1, "1: every step keeps the words that it reads as the held word", dynamic=True),
        Field("alike", 3, 1, 1, "latch: 1: row 0's word for all columns; 0: words of rows for columns", dynamic=True),
        Field("held", 3, 2, 1, "1: weights, which are -1, 0 or 1, multiply the held word first", dynamic=True),
        Field("fixed", 3, 3, 1, "1: the fixed offset takes the place of origin and channel offset", dynamic=True),
        Field("constant", 3, 4, 1, "1: every row reads pad_code, whatever its tap", dynamic=True),
    ),
)

TAP = Record(
    "TAP",
    1,
    (
        Field("offset", 0, 0, 16, "added to the block's address", True),
        Field("top", 0, 16, 4, "valid for output pixels at least this far below the first line"),
        Field("bottom", 0, 20, 4, "valid for output pixels at least this far above the last line"),
        Field("left", 0, 24, 4, "valid for output pixels at least this far right of the first column"),
        Field("right", 0, 28, 4, "valid for output pixels at least this far left of the last column"),
    ),
)


@dataclass(frozen=True)
class BlockTaps:
    """Fields of a block (`BLOCK`) and of its taps (`TAP`)."""

    fields: Mapping[str, int]
    taps: tuple[Mapping[str, int], ...]

    @property
    def steps(self) -> int:
        """Words read for each tile."""
        return self.fields["groups"] * self.fields["tap_count"]


RECORDS: Mapping[Opcode, Record] = MappingProxyType(
    {
        Opcode.END: END,
        Opcode.COMPUTE: COMPUTE,
        Opcode.LOAD: LOAD,
        Opcode.STORE: STORE,
    }
)
"""Layout of each opcode's instruction."""


def decode_instruction(words: Sequence[int]) -> tuple[Opcode, Mapping[str, int]]:
    """Opcode and fields of an instruction.

    Raises
    ------
    IsaError
        If the opcode is unknown or the number of words is wrong.
    """
    if len(words) != INSTRUCTION_WORDS:
        raise IsaError(f"an instruction has {INSTRUCTION_WORDS} words, not {len(words)}")
    code = int(words[0]) & 0b111
    if code not in Opcode._value2member_map_:
        raise IsaError(f"unknown opcode {code}")
    opcode = Opcode(code)
    return opcode, RECORDS[opcode].decode(words)


def blocks_of(fields: Mapping[str, int], blocks: NDArray[np.uint32], taps: NDArray[np.uint32]) -> tuple[BlockTaps, ...]:
    """Blocks of a COMPUTE with these fields, with their taps.

    Parameters
    ----------
    blocks, taps : arrays of uint32, shape (records, words)

    Raises
    ------
    IsaError
        If it points beyond one of the two.
    """
    found = []
    for index in _within(fields["first_block"], fields["block_count"], len(blocks), "block"):
        block = BLOCK.decode(blocks[index].tolist())
        own = _within(block["first_tap"], block["tap_count"], len(taps), "tap")
        found.append(BlockTaps(block, tuple(TAP.decode(taps[tap].tolist()) for tap in own)))
    return tuple(found)


def _within(first: int, count: int, depth: int, name: str) -> range:
    if first + count > depth:
        raise IsaError(f"{name}s {first} to {first + count - 1} are asked for, the memory has {depth}")
    return range(first, first + count)


def encode_param(
    bias: int, multiplicand: int, shift: int, *, bias_width: int, rescale_bits: int, shift_bits: int
) -> int:
    """Bits of one channel's parameters: bias, multiplicand without its top bit, shift, from the low end.

    Raises
    ------
    IsaError
        If a value does not fit, or the multiplicand's top bit is not set.
    """
    if not -(1 << (bias_width - 1)) <= bias < 1 << (bias_width - 1):
        raise IsaError(f"bias {bias} does not fit {bias_width} bits")
    if not 1 << (rescale_bits - 1) <= multiplicand < 1 << rescale_bits:
        raise IsaError(f"multiplicand {multiplicand} must have exactly {rescale_bits} bits")
    if not 0 <= shift < 1 << shift_bits:
        raise IsaError(f"shift {shift} does not fit {shift_bits} bits")
    low = multiplicand - (1 << (rescale_bits - 1))
    return (bias & ((1 << bias_width) - 1)) | low << bias_width | shift << (bias_width + rescale_bits - 1)


def decode_param(value: int, *, bias_width: int, rescale_bits: int, shift_bits: int) -> tuple[int, int, int]:
    """Bias, multiplicand and shift of one channel's parameter bits; the inverse of :func:`encode_param`."""
    bias = value & ((1 << bias_width) - 1)
    if bias >> (bias_width - 1):
        bias -= 1 << bias_width
    low = (value >> bias_width) & ((1 << (rescale_bits - 1)) - 1)
    shift = (value >> (bias_width + rescale_bits - 1)) & ((1 << shift_bits) - 1)
    return bias, low | 1 << (rescale_bits - 1), shift
