"""Flips: bits of the ISA model's memories that flipped, and what check bits say of the words that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import BLOCK
from ..hw.spec.protection import PROTECTED, CheckCode, StoredBit, Verdict, granule_bits, region_code
from ..hw.spec.registers import Region

__all__ = ["Flips"]


class Flips:
    """Bits that flipped since their granules were written, in a core with check bits.

    Memories hold what a reader sees that does not stop: wrong bits where check bits do not tell, the right ones where
    they are corrected. Who reads a damaged word stops, whatever it holds.

    Parameters
    ----------
    config : AcceleratorConfig
    show : callable
        Called with (region, word, bits): what a reader sees of that word changes by these bits.

    Attributes
    ----------
    damage : int
        What `Register.DAMAGE` reads.
    """

    def __init__(self, config: AcceleratorConfig, show: Callable[[Region, int, int], None]) -> None:
        self._config, self._show = config, show
        self._flipped: dict[tuple[Region, int], dict[int, int]] = {}
        self.damage = 0

    def __bool__(self) -> bool:
        return bool(self._flipped)

    def flip(self, region: Region, word: int, bit: StoredBit) -> None:
        """Flip a bit of a word (`protection.stored_bits`).

        Raises
        ------
        ValueError
            If that memory has no check bits.
        """
        if region not in PROTECTED or not self._config.is_protected:
            raise ValueError(f"{region.name} has no check bits")
        granules = self._flipped.setdefault((region, word), {})
        before = granules.get(bit.granule, 0)
        after = before ^ 1 << bit.place
        code, first = region_code(self._config, region, bit.granule), bit.granule * granule_bits(self._config, region)
        self._show(region, word, (_seen(code, before) ^ _seen(code, after)) << first)
        granules[bit.granule] = after

    def written(self, region: Region, words: Iterable[int], granules: Iterable[int] | None = None) -> None:
        """These words were written, or of each the granule beside it: they are sound again."""
        if not self._flipped:
            return
        if granules is None:
            for word in set(words):
                self._flipped.pop((region, word), None)
            return
        for word, granule in set(zip(words, granules, strict=True)):
            kept = self._flipped.get((region, word), {})
            kept.pop(granule, None)
            if not kept:
                self._flipped.pop((region, word), None)

    def damaged(self, region: Region, words: Iterable[int]) -> bool:
        """Whether a damaged word is among those that are read; it is noted in ``damage``, and so is one that is
        corrected."""
        if not self._flipped:
            return False
        found = False
        for word in {word for flipped, word in self._flipped if flipped is region} & set(words):
            for granule, flips in self._flipped[region, word].items():
                verdict, _ = region_code(self._config, region, granule).judge(flips)
                if verdict is Verdict.DAMAGED:
                    found = True
                    self.damage |= 1 << region
                elif verdict is Verdict.CORRECTED:
                    self.damage |= 1 << (16 + region)
        return found

    def records_damaged(self, fields: Mapping[str, int], memories: Mapping[Region, NDArray[np.uint32]]) -> bool:
        """Whether a COMPUTE with these fields comes upon a damaged block, or tap."""
        if not self._flipped:
            return False
        blocks = range(fields["first_block"], fields["first_block"] + fields["block_count"])
        if self.damaged(Region.BLOCKS, blocks):
            return True
        return self.damaged(Region.TAPS, self._taps(blocks, memories[Region.BLOCKS]))

    @staticmethod
    def _taps(blocks: range, records: NDArray[np.uint32]) -> Iterator[int]:
        for block in blocks:
            if block < len(records):
                record = BLOCK.decode(records[block].tolist())
                yield from range(record["first_tap"], record["first_tap"] + record["tap_count"])


def _seen(code: CheckCode, flips: int) -> int:
    """Wrong bits that a reader sees."""
    verdict, seen = code.judge(flips)
    return 0 if verdict is Verdict.DAMAGED else seen
