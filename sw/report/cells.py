"""estimate_cells: what a configuration takes of an FPGA before anything is synthesised, from cores that were."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import BLOCK, INSTRUCTION_WORDS, TAP

__all__ = ["DEVICES", "Cells", "Device", "estimate_cells"]


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


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Estimated LUT4, carry included, and block RAMs; ``error`` is the largest on synthesised cores, as a share."""

    luts: int
    brams: int
    error: float

    def fits(self, device: Device) -> bool:
        """Whether the estimate, with its error, leaves something of a device."""
        return self.luts * (1 + self.error) <= device.luts and self.brams <= device.brams


def estimate_cells(config: AcceleratorConfig) -> Cells:
    """Cells on an ECP5: LUT4 linear in units, rescalers and read ports, block RAMs as memories divide into them.

    Units and rescalers count as in `docs/benchmarks.md`; the rest is linear through the synthesised cores that
    `cells.json` names. Accumulators of 16 bits and 4-bit rescalers are assumed.
    """
    fit = json.loads((Path(__file__).parent / "cells.json").read_text(encoding="utf-8"))
    terms = {
        "constant": 1,
        "unit": config.macs,
        "rescaler": config.rescalers * config.drain_rows,
        "operand": (config.rows + config.columns) * config.lanes,
    }
    luts = sum(fit["factors"][name] * count for name, count in terms.items())
    return Cells(luts=round(luts), brams=_brams(config), error=fit["error"])


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
    return sum(count * _blocks(width, depth) for count, width, depth in memories)


def _blocks(width: int, depth: int) -> int:
    """Block RAMs of a memory in the aspect ratio that takes the fewest."""
    return min(-(-width // wide) * -(-depth // deep) for wide, deep in _ASPECTS)
