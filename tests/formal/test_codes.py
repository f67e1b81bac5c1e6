"""Proofs: operands, products, and what the encoder writes for every format and every value."""

from __future__ import annotations

import pytest
from claims_codec import encoder_claim, operand_claim, product_claim, rounding_formats, shared_products_claim
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.spec.config import AcceleratorConfig, bases_of
from narrows.hw.spec.formats import Format
from narrows.hw.spec.pipeline import pipeline
from prover import prove_flushed

BASES = ["dybit4", "e2m1", "int4", "dybit2"]
PAIRS = ["dybit2xdybit4", "dybit3xdybit4", "int3xdybit4", "dybit2xint4", "dybit4xint8", "int4xint8", "int5xint8"]
PLANES = {
    "dybit4": [(1, 1), (3, 1), (3, 2), (3, 3), (4, 4), (5, 5)],
    "e2m1": [(1, 1), (3, 1), (3, 2), (3, 3)],
    "int4": [(3, 1), (3, 2), (3, 3)],
    "dybit2": [(8, 1), (8, 5), (8, 8)],
    "dybit3xdybit4": [(4, 1), (4, 2), (4, 4)],
    "int4xint8": [(1, 1), (2, 1), (2, 2)],
}
ENCODERS = [
    (base, most, planes, fmt)
    for base, pairs in PLANES.items()
    for most, planes in pairs
    for fmt in rounding_formats(planes, base)
]


@pytest.mark.parametrize("bases", [*BASES, *PAIRS])
def test_every_code_becomes_the_operand_documented(bases: str) -> None:
    config = AcceleratorConfig(**bases_of(bases))
    for kind in (act_operand(config), weight_operand(config)):
        verdict = prove_flushed(operand_claim(kind), 0)
        assert verdict.proven, verdict


@pytest.mark.parametrize(
    ("bases", "fabric", "masked"),
    [
        *((bases, "ecp5", masked) for bases in (*BASES, *PAIRS) for masked in (False, True)),
        *((bases, "xilinx", False) for bases in ("dybit4", "e2m1", "dybit3xdybit4")),
    ],
)
def test_every_pair_of_codes_has_the_product_of_its_levels(bases: str, fabric: str, masked: bool) -> None:
    config = AcceleratorConfig(**bases_of(bases), fabric=fabric)
    verdict = prove_flushed(product_claim(config, first=fabric == "ecp5" and not masked, masked=masked), 0)
    assert verdict.proven, verdict


@pytest.mark.parametrize(
    ("bases", "fabric"),
    [*((bases, "ecp5") for bases in (*BASES, *PAIRS)), ("dybit4", "xilinx"), ("dybit4xint8", "ice40")],
)
def test_products_in_one_hard_multiplier_do_not_disturb_each_other(bases: str, fabric: str) -> None:
    verdict = prove_flushed(shared_products_claim(AcceleratorConfig(**bases_of(bases), fabric=fabric)), 0)
    assert verdict.proven, verdict


@pytest.mark.parametrize(
    ("base", "most", "planes", "fmt"), ENCODERS, ids=lambda value: "int" if value is None else str(value)
)
def test_written_digits_are_those_of_the_nearest_level(base: str, most: int, planes: int, fmt: Format | None) -> None:
    machine = AcceleratorConfig(**bases_of(base), planes=most)
    claim = encoder_claim(machine, planes, fmt)
    verdict = prove_flushed(claim, pipeline(machine).encoder)
    assert verdict.proven, verdict
