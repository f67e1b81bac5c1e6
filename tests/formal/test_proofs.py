"""The prover itself: right and wrong claims about a small counter, and claims that say nothing."""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal
from prover import Claim, ProofError, prove_bounded, prove_flushed, prove_induction


def counter(limit: int) -> tuple[Claim, Signal]:
    """A counter that may pause, and wraps at a limit."""
    claim = Claim("counter")
    register = Signal(4)
    step = claim.free("step", 1)
    claim.module.d.sync += register.eq(Mux(step, Mux(register == limit, 0, register + 1), register))
    return claim, claim.show("count", register)


def test_induction_proves_an_invariant_of_every_cycle() -> None:
    claim, count = counter(5)
    claim.claim(count <= 5)
    assert prove_induction(claim).proven


def test_induction_starts_from_reset() -> None:
    claim, count = counter(5)
    claim.claim(count != 0)
    verdict = prove_induction(claim)
    assert verdict.counterexample == [{"step": verdict.counterexample[0]["step"], "count": 0}]


def test_a_bounded_proof_finds_the_shortest_counterexample_and_no_later_one() -> None:
    claim, count = counter(5)
    claim.claim(count != 3)
    assert prove_bounded(claim, 3).proven
    verdict = prove_bounded(claim, 8)
    assert [values["count"] for values in verdict.counterexample] == [0, 1, 2, 3]
    assert [values["step"] for values in verdict.counterexample[:3]] == [1, 1, 1]


def test_a_proof_for_flushed_pipelines_starts_from_any_state() -> None:
    claim, count = counter(5)
    claim.claim(count <= 5)
    assert not prove_flushed(claim, 2).proven
    claim = Claim("delay")
    value = claim.free("value", 8)
    inverted = claim.delayed(~value, 2)
    claim.claim(~inverted == claim.delayed(value, 2))
    assert prove_flushed(claim, 2).proven
    assert not prove_flushed(claim, 1).proven


def test_a_claim_may_use_those_before_it_but_each_is_shown() -> None:
    claim, count = counter(5)
    claim.claim(count == 9)
    claim.claim(count <= 5)
    assert not prove_induction(claim).proven


def test_assumptions_that_nothing_meets_prove_nothing() -> None:
    claim, count = counter(5)
    claim.assume(count > 5)
    claim.claim(count == 7)
    with pytest.raises(ProofError, match="counter: no input meets the assumptions"):
        prove_bounded(claim, 2)


def test_a_solver_out_of_time_is_no_proof() -> None:
    claim = Claim("factors")
    a, b = claim.free("a", 40), claim.free("b", 40)
    claim.claim((a == 1) | (b == 1) | (a * b != 1000000007 * 1000000009))
    with pytest.raises(ProofError, match="factors: z3 found no answer in 1 s"):
        prove_flushed(claim, 0, timeout=1)
