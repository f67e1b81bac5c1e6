"""Proofs: no flip of one bit of a stored word is silent, whatever the word."""

from __future__ import annotations

import pytest
from claims_checks import flips_claim
from prover import prove_flushed


@pytest.mark.parametrize(
    ("protection", "bits", "most"),
    [("parity", 4, 1), ("parity", 8, 1), ("parity", 16, 1), ("secded", 4, 2), ("secded", 8, 1)],
)
def test_one_flip_is_seen_and_two_are_where_one_is_corrected(protection: str, bits: int, most: int) -> None:
    verdict = prove_flushed(flips_claim(protection, bits, most), 0)
    assert verdict.proven, verdict
