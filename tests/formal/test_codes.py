"""Proofs: operands, products, and what the encoder writes for every format and every value."""

from __future__ import annotations

import pytest
from claims_codec import encoder_claim, operand_claim, product_claim, rounding_formats, shared_products_claim
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Format
from narrows.hw.spec.pipeline import pipeline
from prover import prove_flushed

BASES = ["dybit4", "e2m1", "int4", "dybit2"]
PLANES = {
    "dybit4": [(1, 1), (3, 1), (3, 2), (3, 3), (4, 4), (5, 5)],
    "e2m1": [(1, 1), (3, 1), (3, 2), (3, 3)],
    "int4": [(3, 1), (3, 2), (3, 3)],
    "dybit2": [(8, 1), (8, 5), (8, 8)],
}
ENCODERS = [
    (base, most, planes, fmt)
    for base, pairs in PLANES.items()
    for most, planes in pairs
    for fmt in rounding_formats(planes, base)
]


@pytest.mark.parametrize("base", BASES)
def test_every_code_becomes_the_operand_documented(base: str) -> None:
    verdict = prove_flushed(operand_claim(AcceleratorConfig(base=base)), 0)
    assert verdict.proven, verdict


@pytest.mark.parametrize("base", BASES)
def test_every_pair_of_codes_has_the_product_of_its_levels(base: str) -> None:
    verdict = prove_flushed(product_claim(AcceleratorConfig(base=base)), 0)
    assert verdict.proven, verdict


@pytest.mark.parametrize("base", BASES)
def test_products_in_one_hard_multiplier_do_not_disturb_each_other(base: str) -> None:
    verdict = prove_flushed(shared_products_claim(AcceleratorConfig(base=base)), 0)
    assert verdict.proven, verdict


@pytest.mark.parametrize(
    ("base", "most", "planes", "fmt"), ENCODERS, ids=lambda value: "int" if value is None else str(value)
)
def test_written_digits_are_those_of_the_nearest_level(base: str, most: int, planes: int, fmt: Format | None) -> None:
    machine = AcceleratorConfig(base=base, planes=most)
    claim = encoder_claim(machine, planes, fmt)
    verdict = prove_flushed(claim, pipeline(machine).encoder)
    assert verdict.proven, verdict
