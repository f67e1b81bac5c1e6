"""Proofs: no flip of one bit of a granule with parity is silent, whatever the granule."""

from __future__ import annotations

import pytest
from claims_checks import flips_claim
from prover import prove_flushed


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_one_flip_is_seen_wherever_it_is(bits: int) -> None:
    verdict = prove_flushed(flips_claim("parity", bits, 1), 0)
    assert verdict.proven, verdict
