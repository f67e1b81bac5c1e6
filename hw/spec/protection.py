"""Check bits beside stored bits: which codes there are, which memories have them, what they tell of flipped bits."""

from __future__ import annotations

import enum
import functools
from typing import TYPE_CHECKING, NamedTuple

from .pipeline import pipeline
from .registers import Region, region_word_bits

if TYPE_CHECKING:
    from .config import AcceleratorConfig

__all__ = [
    "CORRECTABLE",
    "PROTECTED",
    "CheckCode",
    "StoredBit",
    "Verdict",
    "check_code",
    "granule_bits",
    "region_code",
    "stored_bits",
    "used_bits",
]

PROTECTED = (
    Region.INSTRUCTIONS,
    Region.BLOCKS,
    Region.TAPS,
    Region.PARAMS,
    Region.WEIGHTS,
    Region.ACTIVATIONS,
    Region.TABLES,
)
"""Memories with check bits in a core that is protected."""

CORRECTABLE = (Region.WEIGHTS, Region.ACTIVATIONS)
"""Those of them with a code that corrects, where ``protection`` is ``"secded"``; the others have parity."""

_BEAT = 32


class Verdict(enum.Enum):
    """What check bits say of a granule with flipped bits."""

    UNSEEN = "unseen"  # it passes for another one
    CORRECTED = "corrected"
    DAMAGED = "damaged"


class CheckCode:
    """A linear code over the bits of a granule: bit ``i`` of the check bits is the XOR of the bits whose column has bit
    ``i``.

    Parameters
    ----------
    columns : tuple of int
        One for each stored bit, the lowest first.
    bits : int
        Check bits.
    corrects : bool
        Whether a syndrome that is one bit's is that bit's flip. All columns then have an odd number of ones and no two
        are alike, so that two flips give a syndrome of an even number of ones, which is nobody's (Hsiao, "A class of
        optimal minimum odd-weight-column SEC-DED codes", 1970).
    """

    def __init__(self, columns: tuple[int, ...], bits: int, *, corrects: bool) -> None:
        self.columns, self.bits, self.corrects = columns, bits, corrects

    def check(self, value: int) -> int:
        """Check bits of a granule's bits."""
        checks = 0
        for place, column in enumerate(self.columns):
            if value >> place & 1:
                checks ^= column
        return checks

    def syndrome(self, flips: int) -> int:
        """What the check bits differ by, where the bits of ``flips`` were flipped: stored bits, then check bits."""
        return self.check(flips & ((1 << len(self.columns)) - 1)) ^ flips >> len(self.columns)

    def judge(self, flips: int) -> tuple[Verdict, int]:
        """Verdict on these flips, and the flips of stored bits that a reader sees."""
        seen, syndrome = flips & ((1 << len(self.columns)) - 1), self.syndrome(flips)
        if syndrome == 0:
            return Verdict.UNSEEN, seen
        if self.corrects and syndrome in self.columns:
            return Verdict.CORRECTED, seen ^ 1 << self.columns.index(syndrome)
        if self.corrects and syndrome & (syndrome - 1) == 0:
            return Verdict.CORRECTED, seen  # a check bit
        return Verdict.DAMAGED, seen


@functools.cache
def check_code(protection: str, bits: int) -> CheckCode:
    """Code of a granule of so many stored bits.

    Parameters
    ----------
    protection : str
        ``"parity"``: one check bit, which sees every odd number of flips. ``"secded"``: corrects one flip, sees two.
    bits : int
        At least 1.

    Raises
    ------
    ValueError
        If there is no such protection.
    """
    if protection == "parity":
        return CheckCode((1,) * bits, 1, corrects=False)
    if protection != "secded":
        raise ValueError(f"protection must be 'parity' or 'secded', not {protection!r}")
    checks = 4
    while (1 << (checks - 1)) - checks < bits:
        checks += 1
    odd = (column for column in range(1 << checks) if column.bit_count() % 2 and column.bit_count() > 1)
    columns = sorted(odd, key=lambda column: (column.bit_count(), column))[:bits]
    return CheckCode(tuple(columns), checks, corrects=True)


def granule_bits(config: AcceleratorConfig, region: Region) -> int:
    """Bits of a memory that have check bits of their own: as many as one enable writes."""
    if region is Region.ACTIVATIONS:
        return config.rescalers * config.code_bits
    return _BEAT // 2 if region is Region.WEIGHTS and pipeline(config).weight_near else _BEAT


def used_bits(config: AcceleratorConfig, region: Region) -> tuple[int, ...]:
    """Bits of each granule of a word that belong to the word, lowest granule first; none is without any."""
    width, granule = region_word_bits(config, region), granule_bits(config, region)
    return tuple(min(granule, width - first) for first in range(0, width, granule))


class StoredBit(NamedTuple):
    """A bit of a stored word: its granule, and its place among that one's bits, check bits behind the others."""

    granule: int
    place: int


def region_code(config: AcceleratorConfig, region: Region, granule: int) -> CheckCode:
    """Code of a granule of a region's words in a core that is protected."""
    protection = config.protection if region in CORRECTABLE else "parity"
    return check_code(protection, used_bits(config, region)[granule])


def stored_bits(config: AcceleratorConfig, region: Region) -> tuple[StoredBit, ...]:
    """All bits that are stored of a word, check bits among them."""
    return tuple(
        StoredBit(granule, place)
        for granule, used in enumerate(used_bits(config, region))
        for place in range(used + region_code(config, region, granule).bits)
    )
