"""Proofs: rescaling and rounding equal the integer specification for all inputs, ties and saturation included."""

from __future__ import annotations

import pytest
from claims_drain import rescaler_claim, result_claim
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Format
from narrows.hw.spec.pipeline import pipeline
from prover import prove_flushed


def config(**parameters: int) -> AcceleratorConfig:
    return AcceleratorConfig(**{"rescale_bits": 4, "acc_bits": 12, "planes": 1, **parameters})


RESCALED = pipeline(config()).rescaler
WRITTEN = RESCALED + pipeline(config()).encoder


@pytest.mark.parametrize(("acc_bits", "planes"), [(12, 1), (12, 3), (16, 1), (16, 3)])
def test_half_units_are_the_specification_for_all_inputs(acc_bits: int, planes: int) -> None:
    verdict = prove_flushed(rescaler_claim(config(acc_bits=acc_bits, planes=planes)), RESCALED)
    assert verdict.proven, verdict


@pytest.mark.parametrize("fmt", [DyBit(4), DyBit(3), DyBit(2), None], ids=lambda fmt: str(fmt or "int"))
def test_results_are_the_levels_nearest_to_the_exact_quotient(fmt: Format | None) -> None:
    verdict = prove_flushed(result_claim(config(), fmt), WRITTEN)
    assert verdict.proven, verdict


def test_rounding_a_half_later_is_found() -> None:
    assert not prove_flushed(rescaler_claim(config(), late=1), RESCALED).proven


def test_ties_in_the_other_direction_are_found() -> None:
    assert not prove_flushed(result_claim(config(), DyBit(4), tie=1), WRITTEN).proven
