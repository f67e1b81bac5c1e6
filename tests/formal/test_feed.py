"""Proofs: a feeder's granules never meet, whatever the pauses between values."""

from __future__ import annotations

import pytest
from claims_feed import granule_claim
from narrows.hw.spec.config import AcceleratorConfig
from prover import prove_induction


@pytest.mark.parametrize(("rescalers", "planes"), [(1, 3), (2, 3), (4, 3), (1, 1), (2, 2)])
def test_a_granule_is_written_whole_before_the_next_one_is_there(rescalers: int, planes: int) -> None:
    config = AcceleratorConfig(
        rows=1, columns=4, lanes=4, rescalers=rescalers, planes=planes, act_words=64, frame_bytes=64
    )
    verdict = prove_induction(granule_claim(config))
    assert verdict.proven, verdict
