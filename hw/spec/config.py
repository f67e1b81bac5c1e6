"""AcceleratorConfig: the generation-time parameters of a core, checked, and the widths that follow from them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .config_checks import (
    FABRICS,
    HOSTS,
    MOST_BLOCKS,
    MOST_INSTRUCTIONS,
    MOST_NEAR,
    MOST_TABLES,
    PROTECTIONS,
    ConfigError,
    check,
    check_kinds,
)
from .digits import Digits, act_digits, weight_digits
from .errors import among
from .formats import Format, Int, roundings_of, usual_roundings
from .rounding import INTEGERS, Rounding

__all__ = [
    "FABRICS",
    "HOSTS",
    "MOST_BLOCKS",
    "MOST_INSTRUCTIONS",
    "MOST_TABLES",
    "PRESETS",
    "PROTECTIONS",
    "AcceleratorConfig",
    "ConfigError",
    "bases_of",
]

_BESIDE_PROGRAMS = (
    *("host", "uart_divisor", "fabric", "entry", "frame_bytes", "streams"),
    *("boot", "flash_offset", "flash_divisor", "protection", "gated"),
)
_LATER = (
    *("dynamic", "entry", "frame_bytes", "streams", "boot", "flash_offset", "flash_divisor", "protection"),
    "gated",
)


def _sha256(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """Shape, widths and memories of one accelerator core.

    Parameters
    ----------
    base : str
        Base format, of a stored code and of the operands of a multiplier: signed, 2 to 4 bits, such as ``dybit4``,
        ``int4`` or ``dybit2`` (ternary). Wider operands are rows of such digits (`spec.digits`).
    weight_base, act_base : str
        Base formats of weights and of activations where they differ from ``base``; empty: ``base``. Weights may also
        be ``int5``, activations ``int8`` (all of a byte). Codes of a ``weight_base`` lie side by side, without bits
        to spare.
    rows : int
        Output pixels computed at once, 1 to 32.
    columns : int
        Output channels computed at once, 1 to 64; a multiple of ``rescalers``.
    lanes : int
        Products summed into one accumulator each cycle, a power of two from 2 to 64, a multiple of ``rescalers``.
    acc_bits : int
        Accumulator width P, 12 to 32 bits.
    rescale_bits : int
        Width k of the rescaler's multiplicand, 2 to 16, or 32.
    rescalers : int
        Rescalers R side by side: channels drained each cycle; 1, 2, 4 or 8.
    drain_rows : int
        Rows that have rescalers of their own and drain side by side: 1, 2 or 4.
    bias_bits : int
        Width B of a bias; 0 means ``acc_bits``.
    planes : int
        Most digit planes of a tensor that the core itself writes, 1 to those of unsigned DyBit8 (5 in base ``dybit4``);
        0 means those of INT8 (3 in base ``dybit4``).
    rounds_to : str
        Formats that results are rounded to, beside integers: ``dybit`` (all whose levels ``planes`` hold), ``dybit4``,
        ``e2m1`` and the like, joined by ``+``; empty means ``dybit``, or the base where that is a minifloat.
    act_words : int
        Activation memory in words of ``lanes`` codes, a power of two up to 65,536.
    weight_words : int
        Weight memory in words of ``columns * lanes`` codes, up to 65,536.
    param_words : int
        Parameter memory in words of ``rescalers`` channels.
    tables : int
        Tables of 256 levels that results may be looked up in (functions such as Sigmoid or HardSwish), 0 to 15.
    taps, blocks, instructions : int
        Capacity of the tap, block and instruction memories, in entries.
    tree_stage : int
        Levels of the adder tree between two pipeline registers, 1 to 6.
    product_stage : int
        1: a pipeline register behind the products; 0: none.
    dsp_lanes : int
        Lanes of every dot product whose products are made in hard multipliers, 0 to ``lanes``; a hard multiplier serves
        two rows.
    prefetch : int
        1: an instruction is fetched while the one before runs; 0: when that is done, which needs fewer registers.
    max_pool : int
        1: the core has a max-pool unit; 0: it refuses ``Mode.MAX``.
    dynamic : int
        1: weights can be activations, for products of two tensors; both have one base then. 0: they cannot.
    counters : int
        1: the core counts what its cycles are used for; 0: the cycles alone.
    memories : str
        Memories of weights and activations: ``"dual"``, with a port to read and one to write (block RAM), or
        ``"single"``, one port for both (iCE40UP5K: SPRAM): no step reads in a cycle in which a result is written. For
        words of whole 16 bits, granules of 4, banks of up to 16,384 words, one drain row, up to 256 units.
    fabric : str
        FPGA family whose cells the array's adders and multipliers are shaped for: ``"ecp5"``, ``"ice40"`` or
        ``"xilinx"`` (7 series). They work on any family, and take more room on another. Not part of `digest`.
    backing : str
        Backing store behind loader and storer: ``"none"`` (everything is resident) or ``"axi4"``.
    bus_bits : int
        Data width of the AXI4 port: 32, 64 or 128 bits.
    entry : int
        1: the host says at which instruction runs begin, so that several programs can be resident at once; 0: they
        begin at the first one. Not part of `digest`.
    frame_bytes : int
        Bytes of a frame; the core has a memory of two, from which the core itself lays out a network's input
        (`spec.feed`): a power of two from 64 to 32,768, or 0 for none. Not part of `digest`.
    streams : int
        1: frames come in and answers go out as AXI4-Streams, too, without a host (`spec.answer`); needs a frame memory.
        0: they do not. Not part of `digest`.
    host : str
        Port for the host: ``"axi"`` (AXI4-Lite), ``"wishbone"``, ``"uart"``, ``"spi"``, ``"usb"`` (full speed, by LUNA)
        or ``"bare"``. Not part of `digest`.
    uart_divisor : int
        Clock cycles of a bit on the UART, 4 to 65,535; not part of `digest` either.
    boot : int
        1: after a reset the core loads the program that it finds in a flash memory (`spec.boot`), and has pins for
        that; 0: it does not. Not part of `digest`, as what follows.
    flash_offset : int
        Byte of the flash with which the program begins, a multiple of 256 below 16 MiB.
    flash_divisor : int
        Clock cycles of half a period of the flash's clock, 1 to 16; 0 for a core that does not boot.
    protection : str
        Check bits of the on-chip memories (`spec.protection`): ``"none"``, ``"parity"``, or ``"secded"``: parity, but
        for weights and activations a code that corrects one flipped bit and sees two. Not part of `digest` either.
    gated : int
        1: all but the host's port has a clock of its own, ``work_clk``, whose edges may be left out while the core's
        output ``idle`` is high; 0: one clock drives everything. Not part of `digest` either.

    Raises
    ------
    ConfigError
        If a value is out of range; the message names it.
    """

    base: str = "dybit4"
    weight_base: str = ""
    act_base: str = ""
    rows: int = 4
    columns: int = 4
    lanes: int = 16
    acc_bits: int = 16
    rescale_bits: int = 4
    rescalers: int = 4
    drain_rows: int = 1
    bias_bits: int = 0
    planes: int = 0
    rounds_to: str = ""
    act_words: int = 4096
    weight_words: int = 2048
    param_words: int = 256
    tables: int = 0
    taps: int = 256
    blocks: int = 128
    instructions: int = 64
    tree_stage: int = 2
    product_stage: int = 0
    dsp_lanes: int = 0
    prefetch: int = 1
    max_pool: int = 1
    dynamic: int = 0
    counters: int = 1
    memories: str = "dual"
    fabric: str = "ecp5"
    backing: str = "none"
    bus_bits: int = 64
    entry: int = 0
    frame_bytes: int = 0
    streams: int = 0
    host: str = "axi"
    uart_divisor: int = 217
    boot: int = 0
    flash_offset: int = 0
    flash_divisor: int = 0
    protection: str = "none"
    gated: int = 0

    def __post_init__(self) -> None:
        check_kinds(self)
        if self.planes == 0:
            object.__setattr__(self, "planes", self.digits.of_format(Int(8)))
        check(self)

    @functools.cached_property
    def digits(self) -> Digits:
        """Digits of activations, so of every tensor."""
        return act_digits(self.act_format, self.weight_digits)

    @functools.cached_property
    def weight_digits(self) -> Digits:
        """Digits of weights."""
        return weight_digits(self.weight_format)

    @property
    def act_format(self) -> str:
        """Name of the base format of activations."""
        return self.act_base or self.base

    @property
    def weight_format(self) -> str:
        """Name of the base format of weights."""
        return self.weight_base or self.base

    @property
    def formats(self) -> str:
        """Base formats in a word: ``dybit4``, or weights by activations, such as ``dybit2xdybit4``."""
        same = self.weight_format == self.act_format
        return self.act_format if same else f"{self.weight_format}x{self.act_format}"

    @property
    def digit_shift(self) -> int:
        """Left shift of the accumulators between the weights of two pairs of digits."""
        return math.gcd(self.digits.shift, self.weight_digits.shift)

    @property
    def code_bits(self) -> int:
        """Width of the place of one stored code of an activation, in bits."""
        return self.digits.code_bits

    @property
    def weight_bits(self) -> int:
        """Width of the place of one code of a weight, in bits."""
        return self.weight_digits.base.bits if self.weight_base else self.weight_digits.code_bits

    @property
    def product_bits(self) -> int:
        """Width of the magnitude of a product of a weight's and an activation's level."""
        return (self.digits.base.bottom * self.weight_digits.base.bottom).bit_length()

    @property
    def macs(self) -> int:
        """Multiply-accumulate units."""
        return self.rows * self.columns * self.lanes

    @property
    def spread(self) -> bool:
        """Whether the array is so large that signals take a cycle to cross it: what feeds it, and what is written to
        the memories around it, then passes through registers of its own."""
        return self.macs > MOST_NEAR

    @property
    def banks_log2(self) -> int:
        """Base-2 logarithm of the number of activation banks (the next power of two from ``rows``)."""
        return (self.rows - 1).bit_length()

    @property
    def banks(self) -> int:
        """Activation banks; the word of address A lies in bank ``A % banks``."""
        return 1 << self.banks_log2

    @property
    def granules(self) -> int:
        """Granules (groups of ``rescalers`` codes) in an activation word."""
        return self.lanes // self.rescalers

    @property
    def tile_granules(self) -> int:
        """Granules that one row of a tile drains."""
        return self.columns // self.rescalers

    @property
    def diagonals(self) -> int:
        """Column groups whose channels lie in one activation word, where these fill it; else 1. As many share a weight
        word of a depthwise layer."""
        return self.lanes // self.columns if self.lanes % self.columns == 0 else 1

    @property
    def act_word_bits(self) -> int:
        """Width of an activation word: ``lanes`` codes, lane 0 in the low bits."""
        return self.lanes * self.code_bits

    @property
    def weight_word_bits(self) -> int:
        """Width of a weight word: code of (column c, lane l) at bit ``weight_bits * (c * lanes + l)``."""
        return self.columns * self.lanes * self.weight_bits

    @property
    def act_address_bits(self) -> int:
        """Width of an activation address; address arithmetic is modulo its range."""
        return (self.act_words - 1).bit_length()

    @property
    def is_serial(self) -> bool:
        """Whether the host's port has a handful of pins, for the serial link."""
        return self.host in ("uart", "spi", "usb")

    @property
    def has_backing(self) -> bool:
        """Whether the core has a loader, a storer and a bus to a backing store."""
        return self.backing != "none"

    @property
    def shows_store(self) -> bool:
        """Whether the host reaches the backing store through the core: behind a serial link it has no other way."""
        return self.is_serial and self.has_backing

    @property
    def is_protected(self) -> bool:
        """Whether the core's memories have check bits."""
        return self.protection != "none"

    @property
    def issues_early(self) -> bool:
        """Whether steps of a COMPUTE may come before the one before has written its last word (`isa.COMPUTE`, early);
        where damage is looked for, or transfers wait for tokens, it would not be known what they belong to."""
        return bool(self.prefetch) and self.memories == "dual" and not self.has_backing and not self.is_protected

    @property
    def bus_bytes(self) -> int:
        """Bytes of a beat on the bus."""
        return self.bus_bits // 8

    @property
    def bias_width(self) -> int:
        """Width B of a bias, signed."""
        return self.bias_bits or self.acc_bits

    @property
    def sum_bits(self) -> int:
        """Width of accumulator + bias, signed."""
        return max(self.acc_bits, self.bias_width) + 1

    @property
    def value_bits(self) -> int:
        """Width of (accumulator + bias) * m, signed."""
        return self.sum_bits + self.rescale_bits

    @property
    def shift_max(self) -> int:
        """Largest right shift s of the rescaler."""
        return self.value_bits

    @property
    def shift_bits(self) -> int:
        """Width of a stored shift."""
        return self.shift_max.bit_length()

    @property
    def param_bits(self) -> int:
        """Width of one channel's parameters: bias, multiplicand without its top bit, shift (low bits first)."""
        return self.bias_width + self.rescale_bits - 1 + self.shift_bits

    @property
    def param_word_bits(self) -> int:
        """Width of a parameter word: ``rescalers`` channels, the first in the low bits."""
        return self.rescalers * self.param_bits

    @property
    def level_max(self) -> int:
        """Largest magnitude of a level that the core can write."""
        return self.digits.top(self.planes)

    @property
    def rounded_formats(self) -> str:
        """`rounds_to`, or what that is by default."""
        return self.rounds_to or usual_roundings(self.digits.base)

    @functools.cached_property
    def roundings(self) -> tuple[Rounding, ...]:
        """Roundings that results may have, beside that to integers."""
        return roundings_of(self.rounded_formats, self.level_max)

    def rounds(self, fmt: Format) -> bool:
        """Whether the core can round its results to a format."""
        return fmt.rounding in (INTEGERS, *self.roundings)

    @property
    def level_bits(self) -> int:
        """Width of a level that the core can write, signed."""
        return self.level_max.bit_length() + 1

    def to_dict(self) -> dict[str, Any]:
        """Parameters by name, as :meth:`from_dict` takes them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AcceleratorConfig:
        """Configuration from parameters by name; missing ones take their defaults.

        Raises
        ------
        ConfigError
            If a name is unknown or a value is out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise ConfigError(f"unknown parameter {name!r}: {among(name, 'parameters', known)}")
        return cls(**values)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the parameters that differ from their defaults (so that one added later leaves
        older programs valid), but for those that no program depends on, such as the port."""
        defaults = AcceleratorConfig().to_dict() | {name: getattr(self, name) for name in _BESIDE_PROGRAMS}
        return _sha256({name: value for name, value in self.to_dict().items() if value != defaults[name]})

    @property
    def hash32(self) -> int:
        """What the hardware compares: the first 32 bits of `digest`, or where `diagonals` are several, of the SHA-256
        of both, since programs for such cores run on none that was generated before there were any."""
        digest = _sha256({"digest": self.digest, "diagonals": self.diagonals}) if self.diagonals > 1 else self.digest
        return int(digest[:8], 16)

    @property
    def build32(self) -> int:
        """First 32 bits of the SHA-256 of all parameters, the port included; later ones only where they are not
        what they are by default."""
        usual = {field.name: field.default for field in dataclasses.fields(self) if field.name in _LATER}
        values = {name: value for name, value in self.to_dict().items() if name not in usual or value != usual[name]}
        return int(_sha256(values)[:8], 16)


PRESETS: dict[str, AcceleratorConfig] = {
    "tiny": AcceleratorConfig(rows=2, columns=4, lanes=4, rescalers=2, act_words=4096, weight_words=8192),
    "small": AcceleratorConfig(rows=4, columns=4, lanes=4, rescalers=2, act_words=4096, weight_words=8192),
    "demo": AcceleratorConfig(rows=4, columns=2, lanes=8, rescalers=2, act_words=2048, weight_words=4096),
    "medium": AcceleratorConfig(rows=4, columns=4, lanes=16, rescalers=4, act_words=8192, weight_words=4096),
    "large": AcceleratorConfig(rows=4, columns=16, lanes=16, rescalers=8, act_words=16384, weight_words=4096),
}
"""Named configurations for ``--preset``."""


def bases_of(formats: str) -> dict[str, str]:
    """Parameters that say which base formats a core has, from their name as `AcceleratorConfig.formats` gives it."""
    weights, _, acts = formats.partition("x")
    return {"weight_base": weights, "act_base": acts} if acts else {"base": weights, "weight_base": "", "act_base": ""}
