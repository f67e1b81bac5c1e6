"""estimate_cells: what a configuration takes of an FPGA before anything is synthesised, from cores that were."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.feed import BYTES, FRAME_WORD_BYTES, feed_planes
from ...hw.spec.isa import BLOCK, INSTRUCTION_WORDS, TAP

__all__ = ["DEVICES", "Cells", "Device", "cell_terms", "cores_measured", "estimate_cells"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """Cells of an FPGA: look-up tables and block RAMs of 18 kbit."""

    luts: int
    brams: int


DEVICES = {
    "ecp5-25k": Device(luts=24_288, brams=56),
    "ecp5-45k": Device(luts=43_848, brams=108),
    "ecp5-85k": Device(luts=83_640, brams=208),
}
"""FPGAs by the name of a target (Lattice ECP5 family data sheet)."""

_ASPECTS = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))

_UNITS = {
    **{"dybit4": 1.0, "int4": 0.92, "e2m1": 0.95, "dybit3": 0.46, "int3": 0.42, "dybit2": 0.24},
    **{"dybit2xdybit4": 0.42, "int3xdybit4": 0.6, "dybit3xdybit4": 0.67},
}
"""A unit of the array in each base, in those of DyBit4 (`docs/benchmarks.md`, ECP5); others count as DyBit4."""

_RESCALER = 329
"""Look-up tables of a rescaler with P = 16 and k = 4; one bit of k adds 15, one of P 8, one of the bias beyond P 4."""


_FIXED = 17
"""Look-up tables of a second offset for addresses, and of a block's further bits (4 x 4 x 16: 465 for both in all)."""


_FEEDER = 485
"""Look-up tables of a feeder (4 x 4 x 16, frames of 4,096 bytes: 253, 74 carry cells, 21 small memories)."""


_STREAMS = 707
"""Look-up tables of streams (tiny preset with frames of 1,024 bytes: 533 more with them, 87 carry cells, 12 small
memories)."""


_BOOT = 576
"""Look-up tables of a boot loader (tiny preset: 484 more with it, and 46 carry cells)."""


_ENTRY = 39
"""Look-up tables of the register that says where runs begin (tiny preset: 35 more with it, and 2 carry cells)."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Estimated LUT4 as nextpnr packs them, carry included, and block RAMs; ``error`` is the largest on cores that the
    estimate was not fitted to, as a share."""

    luts: int
    brams: int
    error: float

    def fits(self, device: Device) -> bool:
        """Whether the estimate, with its error, leaves something of a device."""
        return self.luts * (1 + self.error) <= device.luts and self.brams <= device.brams


def cell_terms(config: AcceleratorConfig) -> dict[str, float]:
    """What the look-up tables of a core are linear in, by name.

    ``unit`` are units of the array in those of DyBit4, ``operand`` places in the operand registers, ``accumulator``
    words of 16 bits, ``rescaler`` rescalers of P = 16 and k = 4, ``bank`` crossings of the network between banks and
    rows; ``serial`` and ``backing`` are whether a core has a UART or SPI, and a backing store.
    """
    wide = config.bias_width - config.acc_bits
    rescaler = _RESCALER + 15 * (config.rescale_bits - 4) + 8 * (config.acc_bits - 16) + 4 * wide
    return {
        "constant": 1.0,
        "unit": _UNITS.get(config.formats, 1.0) * config.macs,
        "operand": float((config.rows + config.columns) * config.lanes),
        "accumulator": config.rows * config.columns * config.acc_bits / 16,
        "rescaler": config.rescalers * config.drain_rows * rescaler / _RESCALER,
        "bank": float(config.banks * config.lanes * max(1, config.banks_log2)),
        "serial": float(config.is_serial),
        "backing": float(config.has_backing),
    }


@functools.cache
def cores_measured() -> Mapping[str, Any]:
    """Content of `cells.json`, which ``bench/estimates.py`` writes: the factors of `cell_terms`, the cores that they
    were fitted to and those that they were checked on."""
    return json.loads((Path(__file__).parent / "cells.json").read_text(encoding="utf-8"))


def estimate_cells(config: AcceleratorConfig) -> Cells:
    """Cells on an ECP5: look-up tables linear in `cell_terms`, block RAMs as memories divide into them."""
    fit = cores_measured()
    luts = sum(fit["factors"][name] * count for name, count in cell_terms(config).items())
    luts += _held_word(config) if config.dynamic else 0
    luts += _FEEDER if config.frame_bytes else 0
    luts += _STREAMS if config.streams else 0
    luts += _BOOT if config.boot else 0
    luts += _ENTRY if config.entry else 0
    return Cells(luts=round(luts), brams=_brams(config), error=fit["error"])


def _held_word(config: AcceleratorConfig) -> float:
    """Look-up tables of dynamic weights: of every bit of the held word one behind it and, but in one column, one in
    front of it, and those of its addresses."""
    return (2 - 1 / config.columns) * config.columns * config.lanes * config.weight_digits.base.bits + _FIXED


def _brams(config: AcceleratorConfig) -> int:
    memories = [
        (config.banks, config.act_word_bits, config.act_words // config.banks),
        (1, config.weight_word_bits, config.weight_words),
        (1, config.param_word_bits, config.param_words),
        (1, 32 * BLOCK.words, config.blocks),
        (1, 32 * TAP.words, config.taps),
        (1, 32, config.instructions * INSTRUCTION_WORDS),
        (1, 32, config.instructions),
    ]
    if config.frame_bytes:
        memories += [
            (1, 32, 2 * config.frame_bytes // FRAME_WORD_BYTES),
            (1, feed_planes(config) * config.code_bits, BYTES),
        ]
    return sum(count * _blocks(width, depth) for count, width, depth in memories)


def _blocks(width: int, depth: int) -> int:
    """Block RAMs of a memory in the aspect ratio that takes the fewest."""
    return min(-(-width // wide) * -(-depth // deep) for wide, deep in _ASPECTS)
