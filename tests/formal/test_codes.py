"""Proofs: operands, products, and what the encoder writes for every format and every value."""

from __future__ import annotations

import pytest
from claims_codec import encoder_claim, operand_claim, product_claim, rounding_formats, shared_products_claim
from narrows.hw.encoder import Encoder
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Format
from prover import prove_flushed

PLANES = [(1, 1), (3, 1), (3, 2), (3, 3), (4, 4), (5, 5)]
ENCODERS = [(most, planes, fmt) for most, planes in PLANES for fmt in rounding_formats(planes)]


def test_every_code_becomes_the_operand_documented() -> None:
    verdict = prove_flushed(operand_claim(), 0)
    assert verdict.proven, verdict


def test_every_pair_of_codes_has_the_product_of_its_levels() -> None:
    verdict = prove_flushed(product_claim(), 0)
    assert verdict.proven, verdict


def test_products_in_one_hard_multiplier_do_not_disturb_each_other() -> None:
    verdict = prove_flushed(shared_products_claim(), 0)
    assert verdict.proven, verdict


@pytest.mark.parametrize(("most", "planes", "fmt"), ENCODERS, ids=lambda value: "int" if value is None else str(value))
def test_written_digits_are_those_of_the_nearest_level(most: int, planes: int, fmt: Format | None) -> None:
    verdict = prove_flushed(encoder_claim(AcceleratorConfig(planes=most), planes, fmt), Encoder.LATENCY)
    assert verdict.proven, verdict
