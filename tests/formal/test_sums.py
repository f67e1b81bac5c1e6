"""Proofs: dot products, digits, and that a certified sum is the true one however it wraps on the way."""

from __future__ import annotations

import pytest
from claims_array import accumulator_claim, digits_claim, dot_claim
from narrows.hw.spec.config import FABRICS, AcceleratorConfig, bases_of
from narrows.hw.spec.pipeline import pipeline
from prover import prove_bounded, prove_flushed, prove_induction

SPANS = [(-16, 16), (-4, 16), (0, 16)]


def config(base: str = "dybit4", **parameters: int | str) -> AcceleratorConfig:
    shape = {"rows": 1, "columns": 1, "lanes": 2, "rescalers": 1, "acc_bits": 12}
    return AcceleratorConfig(**bases_of(base), **shape | parameters)


@pytest.mark.parametrize(
    ("base", "fabric", "lanes", "tree_stage", "product_stage"),
    [
        *(("dybit4", "ecp5", *shape) for shape in [(2, 1, 0), (2, 1, 1), (4, 1, 1), (4, 2, 0), (8, 6, 0)]),
        *(("dybit4", fabric, *shape) for fabric in ("ice40", "xilinx") for shape in [(2, 1, 0), (4, 1, 1), (8, 6, 0)]),
        *(("int4", fabric, 8, 2, 0) for fabric in FABRICS),
        *(("dybit2", fabric, 16, 2, 0) for fabric in FABRICS),
        *(("dybit2xdybit4", fabric, 4, 2, 0) for fabric in FABRICS),
        ("dybit2xdybit4", "ecp5", 4, 1, 1),
        ("dybit3xdybit4", "ecp5", 4, 2, 0),
    ],
)
def test_deferred_signs_give_the_signed_sum(
    base: str, fabric: str, lanes: int, tree_stage: int, product_stage: int
) -> None:
    machine = config(base=base, fabric=fabric, lanes=lanes, tree_stage=tree_stage, product_stage=product_stage)
    verdict = prove_flushed(dot_claim(machine), pipeline(machine).dot_product)
    assert verdict.proven, verdict


@pytest.mark.parametrize(
    ("base", "fabric", "planes"),
    [
        *(("dybit4", "ecp5", planes) for planes in [(1, 1), (2, 1), (1, 3)]),
        ("int4", "ecp5", (2, 1)),
        ("dybit2", "ecp5", (3, 2)),
        ("dybit2xdybit4", "ecp5", (1, 2)),
        ("dybit2xdybit4", "ecp5", (2, 2)),
        ("dybit3xdybit4", "ecp5", (2, 2)),
        ("int5xint8", "ecp5", (1, 2)),
        ("dybit4", "ice40", (2, 1)),
        ("dybit4", "xilinx", (1, 3)),
        ("dybit2", "xilinx", (3, 2)),
    ],
)
def test_digits_in_machine_order_give_the_product_of_the_full_operands(
    base: str, fabric: str, planes: tuple[int, int]
) -> None:
    claim, cycles = digits_claim(config(base=base, fabric=fabric, acc_bits=16), planes)
    verdict = prove_bounded(claim, cycles)
    assert verdict.proven, verdict


@pytest.mark.parametrize(
    ("base", "fabric", "span"),
    [
        *(("dybit4", "ecp5", span) for span in SPANS),
        ("int4", "ecp5", (0, 7)),
        ("dybit2", "ecp5", (-1, 1)),
        ("dybit2xdybit4", "ecp5", (-4, 16)),
        ("dybit3xdybit4", "ecp5", (-4, 16)),
        ("dybit4", "ice40", (-16, 16)),
        ("dybit4", "xilinx", (-16, 16)),
        ("dybit2", "xilinx", (-1, 1)),
    ],
)
def test_a_certified_sum_is_the_true_one_after_any_steps(base: str, fabric: str, span: tuple[int, int]) -> None:
    verdict = prove_induction(accumulator_claim(config(base=base, fabric=fabric), span))
    assert verdict.proven, verdict


@pytest.mark.parametrize("span", SPANS)
def test_an_accumulator_one_bit_too_narrow_ends_with_a_wrong_sum(span: tuple[int, int]) -> None:
    verdict = prove_bounded(accumulator_claim(config(), span, spare=1), 6)
    assert not verdict.proven
    last = verdict.counterexample[-1]
    # the certificate asks for 13 bits, not for more, and the sum is wrong by a whole range of 12
    assert -(1 << 12) <= last["smallest"] <= last["sum_so_far"] <= last["largest"] < 1 << 12
    assert abs(last["sum"] - last["sum_so_far"]) == 1 << 12
