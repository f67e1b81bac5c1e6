"""Claims about the array: dot products, digits and accumulators, against sums in wide integers."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Mux, Signal, Value, signed
from claims_codec import level_of
from formal import Claim
from narrows.hw.array import MacArray
from narrows.hw.dot import DotProduct
from narrows.hw.operand import recode
from narrows.hw.spec.config import CODE_BITS, AcceleratorConfig

__all__ = ["accumulator_claim", "digits_claim", "dot_claim"]

WIDE = 28
"""Bits of the sums in the claims: far more than those of the accumulators."""


def _balanced(terms: Sequence[Value]) -> Value:
    """Sum of signed terms, in pairs."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return _balanced(terms[:half]) + _balanced(terms[half:])


def dot_claim(config: AcceleratorConfig) -> Claim:
    """Deferred signs or not, the dot product is the signed sum of products of levels, pipelined one a cycle."""
    claim = Claim(f"dot product of {config.lanes} lanes, registers every {config.tree_stage} tree levels")
    m = claim.module
    m.submodules.dut = dut = DotProduct(config)
    products = []
    for lane in range(config.lanes):
        x, w = claim.free(f"x{lane}", CODE_BITS), claim.free(f"w{lane}", CODE_BITS)
        m.d.comb += [Value.cast(dut.x[lane]).eq(recode(x)), Value.cast(dut.w[lane]).eq(recode(w))]
        products.append(level_of(x) * level_of(w))
    expected = claim.delayed(_balanced(products), DotProduct.stages(config))
    got = claim.show("got", Mux(dut.negative, -dut.total, dut.total))
    claim.claim(got == claim.show("expected", expected))
    return claim


class _Array:
    """A claim's array of one accumulator, with free codes, and the levels of what its accumulator now adds."""

    def __init__(self, claim: Claim, config: AcceleratorConfig, x: Sequence[Value], w: Sequence[Value]) -> None:
        m = claim.module
        m.submodules.dut = self.dut = MacArray(config)
        self.delay = DotProduct.stages(config)
        for lane in range(config.lanes):
            m.d.comb += [
                Value.cast(self.dut.x[0][lane]).eq(recode(x[lane])), Value.cast(self.dut.w[0][lane]).eq(recode(w[lane])),
            ]
        self.x = [level_of(claim.delayed(code, self.delay)) for code in x]
        self.w = [level_of(claim.delayed(code, self.delay)) for code in w]
        self.sum = claim.show("sum", self.dut.sums[0][0].as_signed())


def accumulator_claim(config: AcceleratorConfig, span: tuple[int, int], *, spare: int = 0) -> Claim:
    """Over any steps, shifts and pauses: if the certificate of the weights fits the accumulator, its final sum is the true one.

    The claim carries its own invariants, so that induction proves it for any number of steps: the accumulator is the true sum
    modulo ``2**acc_bits`` on the way, however often it wraps, and the true sum lies within the certificate's bounds.

    Parameters
    ----------
    span : (low, high)
        What the activations' levels lie in; holds 0.
    spare : int
        Bits by which the certificate may exceed the accumulator: with one or more the claim is wrong.
    """
    low, high = span
    claim = Claim(f"certified sums of activations in {low}..{high} in {config.acc_bits} bits" + f", {spare} too many" * (spare > 0))
    m = claim.module
    x = [claim.free(f"x{lane}", CODE_BITS) for lane in range(config.lanes)]
    w = [claim.free(f"w{lane}", CODE_BITS) for lane in range(config.lanes)]
    array = _Array(claim, config, x, w)
    flags = {name: claim.free(name, 1) for name in ("valid", "first", "shift", "last")}
    m.d.comb += [array.dut.flags[name].eq(flag) for name, flag in flags.items()]
    for code in x:
        claim.assume((level_of(code) >= low) & (level_of(code) <= high))
    valid, first, shift, last = (claim.delayed(flags[name], array.delay) for name in ("valid", "first", "shift", "last"))

    def weighed(name: str, terms: Sequence[Value]) -> tuple[Signal, Value]:
        """Sum of all steps' terms, eight times what was before at a shift; and what it becomes."""
        register = Signal(signed(WIDE), name=name)
        after = Signal(signed(WIDE + 5), name=f"{name}_after")
        m.d.comb += after.eq(Mux(first, 0, Mux(shift, register << 3, register)) + _balanced(terms))
        with m.If(valid):
            m.d.sync += register.eq(after)
        claim.show(name, register)
        return register, after

    true, _ = weighed("true_sum", [a * b for a, b in zip(array.x, array.w, strict=True)])
    positive, positive_after = weighed("positive_weights", [Mux(b > 0, b, 0) for b in array.w])
    negative, negative_after = weighed("negative_weights", [Mux(b < 0, -b, 0) for b in array.w])
    # as many steps as the claim's own integers can count
    small = 1 << (WIDE - 8)
    claim.assume((positive_after < small) & (negative_after < small))
    finished = Signal()
    m.d.sync += finished.eq(valid & last)
    claim.claim(array.dut.done == finished)

    largest = claim.show("largest", high * positive - low * negative)
    smallest = claim.show("smallest", low * positive - high * negative)
    limit = 1 << (config.acc_bits - 1 + spare)
    certified = (smallest >= -limit) & (largest < limit)
    if not spare:
        claim.claim(array.sum == true[:config.acc_bits].as_signed())
        claim.claim((true >= smallest) & (true <= largest))
        claim.claim((positive >= 0) & (negative >= 0) & (positive < small) & (negative < small))
    claim.claim(~(finished & certified) | (array.sum == true))
    return claim


def digits_claim(config: AcceleratorConfig, planes: tuple[int, int]) -> tuple[Claim, int]:
    """Digits of weights and activations, in the machine's order, add up to the dot product of the full operands.

    Parameters
    ----------
    planes : (int, int)
        Digits of the weights and of the activations; one digit is any native level.

    Returns
    -------
    claim : Claim
    cycles : int
        Cycle in which it says something.
    """
    claim = Claim(f"dot product of {planes[0]} by {planes[1]} digits in {config.acc_bits} bits")
    m = claim.module
    pairs = sorted(((i, j) for i in range(planes[0]) for j in range(planes[1])), key=lambda pair: (-sum(pair), pair[0]))
    codes = {
        (side, lane): [claim.free(f"{side}{lane}_{digit}", CODE_BITS, constant=True) for digit in range(count)]
        for side, count in zip("wx", planes, strict=True) for lane in range(config.lanes)
    }
    for digits in codes.values():
        if len(digits) > 1:
            for code in digits:
                claim.assume((level_of(code) >= -4) & (level_of(code) <= 4))
    fed = {(side, lane): Signal(CODE_BITS, name=f"fed_{side}{lane}") for side, lane in codes}
    array = _Array(claim, config, *([fed[side, lane] for lane in range(config.lanes)] for side in "xw"))
    step = Signal(range(len(pairs) + array.delay + 2))
    m.d.sync += step.eq(step + 1)
    with m.Switch(step):
        for number, (i, j) in enumerate(pairs):
            with m.Case(number):
                for lane in range(config.lanes):
                    m.d.comb += [fed["w", lane].eq(codes["w", lane][i]), fed["x", lane].eq(codes["x", lane][j])]
                m.d.comb += [
                    array.dut.flags.valid.eq(1), array.dut.flags.first.eq(number == 0),
                    array.dut.flags.shift.eq(number > 0 and i + j != sum(pairs[number - 1])),
                    array.dut.flags.last.eq(number == len(pairs) - 1),
                ]

    def operand(digits: Sequence[Value]) -> Value:
        return _balanced([level_of(code) << (3 * place) for place, code in enumerate(digits)])

    expected = _balanced([operand(codes["w", lane]) * operand(codes["x", lane]) for lane in range(config.lanes)])
    end = len(pairs) + array.delay
    expected = claim.show("expected", expected)[:config.acc_bits].as_signed()
    claim.claim((step != end) | (array.dut.done & (array.sum == expected)))
    return claim, end + 1
