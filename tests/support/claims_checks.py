"""Claims about check bits: what they say of a granule some of whose bits flipped."""

from __future__ import annotations

import itertools

from amaranth.hdl import Cat
from narrows.hw.cells.checks import check_bits, judged
from narrows.hw.spec.protection import check_code
from prover import Claim

__all__ = ["flips_claim"]


def flips_claim(protection: str, bits: int, most: int) -> Claim:
    """Of a granule of any bits: with no flip it comes back sound, with one it is found damaged, with SECDED corrected,
    and then with two (if those are the ``most``) damaged, wherever they are."""
    code = check_code(protection, bits)
    claim = Claim(f"{protection} of {bits} bits, up to {most} flipped: none is silent")
    stored = claim.free("stored", bits)
    word = Cat(stored, check_bits(code, stored))
    for count in range(most + 1):
        for places in itertools.combinations(range(len(word)), count):
            flipped = Cat(~bit if place in places else bit for place, bit in enumerate(word))
            value, damaged, corrected = judged(code, flipped[:bits], flipped[bits:])
            if count == 0 or (count == 1 and code.corrects):
                claim.claim((value == stored) & ~damaged)
                claim.claim(corrected == count)
            else:
                claim.claim(damaged & ~corrected)
    return claim
