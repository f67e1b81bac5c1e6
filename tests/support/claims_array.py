"""Claims about the array: dot products, digits and accumulators, against sums in wide integers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Mux, Signal, Value, signed
from claims_codec import DIGIT_SHIFTS, level_of
from narrows.hw.array.array import MacArray
from narrows.hw.array.dot import DotProduct
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline
from prover import Claim, internals

__all__ = ["accumulator_claim", "digits_claim", "dot_claim"]

_SPARE_BITS = 8
"""Bits by which the sums in the claims are wider than the accumulators."""


def _balanced(terms: Sequence[Value]) -> Value:
    """Sum of signed terms, in pairs."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return _balanced(terms[:half]) + _balanced(terms[half:])


def _result(total: Value, inverted: Value, negative: Value) -> Value:
    """What the outputs of a dot product stand for."""
    return Mux(inverted, ~total.as_signed(), total.as_signed()) + negative


def _node(inside: Mapping[str, Value], name: str) -> Value:
    """What a node stands for: the bits of its total, perhaps inverted, perhaps with a sign bit, of deferred sign.

    Where a node is never inverted or always has a sign bit there is no signal that says so.
    """
    bits = inside[f"total{name}"]
    if f"inverted{name}" in inside:
        bits = bits ^ inside[f"inverted{name}"].replicate(len(bits))
    magnitude = Mux(inside[f"signed{name}"], bits.as_signed(), bits) if f"signed{name}" in inside else bits.as_signed()
    return Mux(inside[f"negative{name}"], -magnitude, magnitude)


def dot_claim(config: AcceleratorConfig, *, by_nodes: bool = True) -> Claim:
    """Whatever is deferred or inverted, the dot product is the signed sum of products of levels, one a cycle.

    Parameters
    ----------
    by_nodes : bool
        Claim that each node of the tree is the sum of its two, from the products down to the result, which takes the
        solver far less time; otherwise only that the result is the sum of all.
    """
    how = ", node by node" if by_nodes else ""
    claim = Claim(
        f"dot product of {config.lanes} lanes of {config.formats} for {config.fabric}, "
        f"registers every {config.tree_stage} tree levels{how}"
    )
    m = claim.module
    acts, weights = act_operand(config), weight_operand(config)
    dut = DotProduct(config)
    m.submodules.dut, inside = internals(dut)
    products = []
    for lane in range(config.lanes):
        x, w = claim.free(f"x{lane}", acts.base.bits), claim.free(f"w{lane}", weights.base.bits)
        m.d.comb += [Value.cast(dut.x[lane]).eq(acts.recode(x)), Value.cast(dut.w[lane]).eq(weights.recode(w))]
        products.append(level_of(x, config.act_format) * level_of(w, config.weight_format))
    result = claim.show("result", _result(dut.total, dut.inverted, dut.negative))
    if not by_nodes:
        claim.claim(result == claim.show("expected", claim.delayed(_balanced(products), pipeline(config).dot_product)))
        return claim
    nodes, delay = [claim.delayed(product, config.product_stage) for product in products], config.product_stage
    levels = (config.lanes - 1).bit_length()
    begun = 0
    if "total_row0_1" in inside:  # four products in a row are two levels
        begun, rows = 1, [nodes[index : index + 4] for index in range(0, len(nodes), 4)]
        for (index, row), place in itertools.product(enumerate(rows), (1, 2)):
            claim.claim(_node(inside, f"_row{index}_{place}") == _balanced(row[: place + 1]))
        nodes = [sum_ for a, b, c, d in rows for sum_ in (a + b, c + d)]
    for level in range(begun, levels):
        registered = int((level + 1) % config.tree_stage == 0 and len(nodes) > 2)
        delay += registered
        sums = [claim.delayed(nodes[index] + nodes[index + 1], registered) for index in range(0, len(nodes), 2)]
        nodes = [_node(inside, f"{level}_{index}") for index in range(len(sums))]
        for node, expected in zip(nodes, sums, strict=True):
            claim.claim(node == expected)
    root = pipeline(config).root
    assert delay + root == pipeline(config).dot_product, "the registers of the tree are not those of the plan"
    claim.claim(result == claim.delayed(nodes[0], root))
    return claim


class _Array:
    """A claim's array of one accumulator, with free codes, and the levels of what its accumulator now adds."""

    def __init__(self, claim: Claim, config: AcceleratorConfig, x: Sequence[Value], w: Sequence[Value]) -> None:
        m = claim.module
        self.dut = MacArray(config)
        m.submodules.dut, self.inside = internals(self.dut)
        self.delay = pipeline(config).dot_product
        for lane in range(config.lanes):
            m.d.comb += [
                Value.cast(self.dut.operands.x[0][lane]).eq(act_operand(config).recode(x[lane])),
                Value.cast(self.dut.operands.w[0][lane]).eq(weight_operand(config).recode(w[lane])),
            ]
        self.x = [level_of(claim.delayed(code, self.delay), config.act_format) for code in x]
        self.w = [level_of(claim.delayed(code, self.delay), config.weight_format) for code in w]
        sum_ = self.dut.results.sums[0][0].as_signed()
        self.sum = claim.show("sum", Mux(self.dut.results.inverted[0][0], ~sum_, sum_))
        self.products = [a * b for a, b in zip(self.x, self.w, strict=True)]
        outputs = (self.inside[f"dot0_0.{name}"] for name in ("total", "inverted", "negative"))
        claim.claim(_result(*outputs) == _balanced(self.products))


def accumulator_claim(config: AcceleratorConfig, span: tuple[int, int], *, spare: int = 0) -> Claim:
    """Over any steps, shifts and pauses: if the weights' certificate fits the accumulator, the final sum is true.

    The claim carries its own invariants, so that induction proves it for any number of steps: the accumulator is the
    true sum modulo ``2**acc_bits`` on the way, however often it wraps, and the true sum lies within the certificate's
    bounds ``high*S+ - low*S-`` and ``low*S+ - high*S-`` of the weights so far (`docs/machine.md`, arXiv 2401.10432).

    Parameters
    ----------
    span : (low, high)
        What the activations' levels lie in; holds 0.
    spare : int
        Bits by which the certificate may exceed the accumulator: with one or more the claim is wrong.
    """
    low, high = span
    excess = f", {spare} too many" * (spare > 0)
    claim = Claim(
        f"certified sums of activations in {low}..{high} in {config.acc_bits} bits for {config.fabric}{excess}"
    )
    m = claim.module
    x = [claim.free(f"x{lane}", config.digits.base.bits) for lane in range(config.lanes)]
    w = [claim.free(f"w{lane}", config.weight_digits.base.bits) for lane in range(config.lanes)]
    array = _Array(claim, config, x, w)
    flags = {name: claim.free(name, 1) for name in ("valid", "first", "shift", "last")}
    m.d.comb += [array.dut.operands.flags[name].eq(flag) for name, flag in flags.items()]
    for code in x:
        claim.assume((level_of(code, config.act_format) >= low) & (level_of(code, config.act_format) <= high))
    step: Any = array.dut.operands.flags.as_value()
    for rank in range(array.delay):  # those copies of the flags that this accumulator's comes from
        step = claim.delayed(step, 1)
        claim.claim(array.inside[f"flags{rank}_0"] == step)
    valid, first, shift, last = (step.bit_select(index, 1) for index in range(len(step)))

    wide = config.acc_bits + _SPARE_BITS

    def weighed(name: str, terms: Sequence[Value]) -> tuple[Signal, Value]:
        """Sum of all steps' terms, what was before times the radix at a shift; and what it becomes."""
        register = Signal(signed(wide), name=name)
        after = Mux(first, 0, Mux(shift, register << _shift(config), register)) + _balanced(terms)
        m.d.sync += register.eq(Mux(valid, after, register))
        return claim.show(f"{name}_so_far", register), after

    true, _ = weighed("sum", array.products)
    positive, positive_after = weighed("positive_weights", [Mux(b > 0, b, 0) for b in array.w])
    negative, negative_after = weighed("negative_weights", [Mux(b < 0, -b, 0) for b in array.w])
    tops = [Mux(b > 0, high * b, low * b) for b in array.w]
    bottoms = [Mux(b > 0, low * b, high * b) for b in array.w]
    top, _ = weighed("top", tops)
    bottom, _ = weighed("bottom", bottoms)
    # weights beyond that have no certificate that fits, and the claim's own sums would not hold them
    limit = 1 << config.acc_bits
    claim.assume((positive_after < limit) & (negative_after < limit))
    finished = Signal()
    m.d.sync += finished.eq(valid & last)
    claim.claim(array.dut.results.done[0] == finished)  # the first copy of the flags is this accumulator's

    largest = claim.show("largest", high * positive - low * negative)
    smallest = claim.show("smallest", low * positive - high * negative)
    if not spare:
        claim.claim(array.sum == true[: config.acc_bits].as_signed())
        claim.claim((positive >= 0) & (negative >= 0) & (positive < limit) & (negative < limit))
        claim.claim((top == largest) & (bottom == smallest))
        for product, least, most in zip(array.products, bottoms, tops, strict=True):
            claim.claim((product >= least) & (product <= most))
        claim.claim((true >= bottom) & (true <= top))
    half = 1 << (config.acc_bits - 1 + spare)
    certified = (smallest >= -half) & (largest < half)
    claim.claim(~(finished & certified) | (array.sum == true))
    return claim


def _shift(config: AcceleratorConfig) -> int:
    """Bits by which an accumulator shifts: the most that both operands' digits are whole multiples of apart."""
    return math.gcd(*DIGIT_SHIFTS[config.formats])


def _steps(planes: tuple[int, int], weight: int, act: int) -> list[tuple[tuple[int, int] | None, bool]]:
    """Pairs of digits in the machine's order, none where sums only shift, and whether they shift before; digits are
    ``weight`` and ``act`` shifts apart."""
    places: dict[int, list[tuple[int, int] | None]] = {}
    for i, j in itertools.product(*map(range, planes)):
        places.setdefault(weight * i + act * j, []).append((i, j))
    top = max(places)
    orders = [places.get(order, [None]) for order in range(top, -1, -1)]
    return [(pair, n > 0 and m == 0) for n, pairs in enumerate(orders) for m, pair in enumerate(pairs)]


def digits_claim(config: AcceleratorConfig, planes: tuple[int, int]) -> tuple[Claim, int]:
    """Digits of weights and activations, in the machine's order, add up to the dot product of the full operands.

    Parameters
    ----------
    planes : (int, int)
        Digits of the weights and of the activations; one digit is any level of the base.

    Returns
    -------
    claim : Claim
    cycles : int
        Cycle in which it says something.
    """
    claim = Claim(f"dot product of {planes[0]} by {planes[1]} digits of {config.formats} in {config.acc_bits} bits")
    m = claim.module
    radices = dict(zip("wx", DIGIT_SHIFTS[config.formats], strict=True))
    formats = {"w": config.weight_format, "x": config.act_format}
    bits = {"w": config.weight_digits.base.bits, "x": config.digits.base.bits}
    steps = _steps(planes, *(radix // _shift(config) for radix in radices.values()))
    codes = {
        (side, lane): [claim.free(f"{side}{lane}_{digit}", bits[side], constant=True) for digit in range(count)]
        for side, count in zip("wx", planes, strict=True)
        for lane in range(config.lanes)
    }
    for (side, _), digits in codes.items():
        for code in digits if len(digits) > 1 else ():
            level = level_of(code, formats[side])
            claim.assume((level >= -(1 << radices[side] >> 1)) & (level <= 1 << radices[side] >> 1))
    fed = {(side, lane): Signal(bits[side], name=f"fed_{side}{lane}") for side, lane in codes}
    array = _Array(claim, config, *([fed[side, lane] for lane in range(config.lanes)] for side in "xw"))
    step = Signal(range(len(steps) + array.delay + 2))
    m.d.sync += step.eq(step + 1)
    with m.Switch(step):
        for number, (pair, shift) in enumerate(steps):
            with m.Case(number):
                for lane in range(config.lanes):
                    if pair is not None:
                        m.d.comb += fed["w", lane].eq(codes["w", lane][pair[0]])
                        m.d.comb += fed["x", lane].eq(codes["x", lane][pair[1]])
                m.d.comb += [
                    array.dut.operands.flags.valid.eq(1),
                    array.dut.operands.flags.first.eq(number == 0),
                    array.dut.operands.flags.shift.eq(shift),
                    array.dut.operands.flags.last.eq(number == len(steps) - 1),
                ]

    def operand(side: str, lane: int) -> Value:
        digits = codes[side, lane]
        return _balanced([level_of(c, formats[side]) << (radices[side] * place) for place, c in enumerate(digits)])

    valid, shift = (claim.delayed(array.dut.operands.flags[name], array.delay) for name in ("valid", "shift"))
    full = [operand("w", lane) * operand("x", lane) for lane in range(config.lanes)]
    so_far = [Signal(signed(len(product) + 1), name=f"so_far{lane}") for lane, product in enumerate(full)]
    for register, product in zip(so_far, array.products, strict=True):
        m.d.sync += register.eq(Mux(valid, Mux(shift, register << _shift(config), register) + product, register))
    claim.claim(array.sum == _balanced(so_far)[: config.acc_bits].as_signed())
    end = len(steps) + array.delay
    for lane, (register, product) in enumerate(zip(so_far, full, strict=True)):
        claim.claim((step != end) | (register == claim.show(f"full{lane}", product)))
    claim.claim(
        (step != end) | (array.dut.results.done.all() & (array.sum == _balanced(full)[: config.acc_bits].as_signed()))
    )
    return claim, end + 1
