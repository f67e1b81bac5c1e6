"""DotProduct: lanes of products summed in a tree that never negates a product (deferred sign)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.adder import add
from ..cells.masked_adder import MaskedAdder
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from .multiplier import Multiplier
from .operand import act_operand, weight_operand
from .tables import is_light, product_tables

__all__ = ["DotProduct"]


_WORTH_MASKS = 3
"""Bits of a product from which on a carry chain is shorter than look-up tables that add."""


@dataclass(frozen=True)
class _Node:
    """A node of the tree: stands for ``-value if negative else value``, where ``value`` is ``total``, inverted if
    ``inverted``."""

    total: Value
    inverted: Value
    negative: Value
    signed: Value  # if not, value has no sign bit and is not negative

    def extended(self, width: int) -> Value:
        """``total`` in ``width`` bits."""
        sign = Mux(self.signed, self.total[-1], self.inverted)
        return Cat(self.total, sign.replicate(width - len(self.total)))

    def named(self, m: Module, name: str, *, registered: bool) -> _Node:
        """The node on signals ``total<name>`` and so on, a cycle later if ``registered``."""
        domain = m.d.sync if registered else m.d.comb
        signals = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            signals[field.name] = (
                value if isinstance(value, Const) else Signal.like(value, name=field.name + name, reset_less=True)
            )
            if not isinstance(value, Const):
                domain += signals[field.name].eq(value)
        return _Node(**signals)


def _inversions(negatives: Sequence[Value]) -> list[Value]:
    """How an adder wants nodes of these signs so that it need not invert them: every first one if the signs differ; the
    root as its sign says."""
    if len(negatives) == 1:
        return list(negatives)
    pairs = zip(negatives[::2], negatives[1::2], strict=True)
    return [inversion for a, b in pairs for inversion in (a ^ b, Const(0))]


def _levels_in_a_row(config: AcceleratorConfig) -> int:
    """Levels of the tree whose products are added in a row and masked by what adds them."""
    weights, acts = config.weight_digits.base, config.digits.base
    if config.fabric != "ecp5" or config.product_stage or config.product_bits < _WORTH_MASKS:
        return 0
    if is_light(weights):
        return min(2, config.tree_stage, (config.lanes - 1).bit_length())
    return int(any(table.mask for table in product_tables(weights, acts, masked=True).values()))


class DotProduct(wiring.Component):
    """Sum over lanes of ``level(x) * level(w)``, up to an inversion and a one that are left to who takes it.

    True value: ``(inverted ? ~total : total) + negative``, `Pipeline.dot_product` after the operands. No stall, no
    back-pressure: one dot product a cycle. The magnitudes of the first ``config.dsp_lanes`` products come from outside,
    on ``hard_products``.

    A leaf multiplies magnitudes. A node factors out the sign of its first operand and adds or subtracts the second by
    the XOR of both signs, in the form that suits the carry cells of ``config.fabric``:

    - ``xilinx``: ``a + ~b + 1``.
    - ``ecp5``: ``~(~a + b)``; what inverts the result is left to the cell that adds it next, which inverts both its
      operands in place. No carry enters.
    - ``ice40``: the same, but each cell gives its result in the form in which the next adds it, since an
      inversion after the addition is free. Products come inverted.

    The first level has no bit for a sign: a sum of two products is no less than 0, and a difference is in the range of
    signed numbers as wide.

    In fabric ``ecp5`` a cell of the first level has an input to spare, since no product comes inverted: it masks the
    second product. A weight of one level is no more than a mask, and that of a narrow weight saves look-up tables. Of
    such products four are added in a row, so that three of them are second ones.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._levels = (config.lanes - 1).bit_length()
        # Amaranth has no use for a port of no width
        hard_products = (
            {"hard_products": In(data.ArrayLayout(config.product_bits, config.dsp_lanes))} if config.dsp_lanes else {}
        )
        super().__init__(
            {
                "x": In(data.ArrayLayout(act_operand(config).layout, config.lanes)),
                "w": In(data.ArrayLayout(weight_operand(config).layout, config.lanes)),
                "total": Out(self.total_shape(config)),
                "inverted": Out(1),
                "negative": Out(1),
                **hard_products,
            }
        )

    @staticmethod
    def total_shape(config: AcceleratorConfig) -> Shape:
        """Shape of ``total``: a signed sum of ``lanes`` products."""
        return signed(config.product_bits + (config.lanes - 1).bit_length() + 1)

    def elaborate(self, platform: object) -> Module:
        """Build the products and the tree."""
        m = Module()
        config, plan = self._config, pipeline(self._config)
        done = _levels_in_a_row(config)
        nodes = self._rows(m, done) if done else [leaf for leaf, _ in self._leaves(m, row=2)]
        for level in range(done, self._levels):
            registered = (level + 1) % plan.tree_levels == 0 and level + 1 < self._levels
            pairs = list(zip(nodes[::2], nodes[1::2], strict=True))
            wanted = _inversions([a.negative for a, _ in pairs])
            nodes = []
            for index, ((a, b), inversion) in enumerate(zip(pairs, wanted, strict=True)):
                node = self._sum(m, platform, f"{level}_{index}", a, b, inversion)
                nodes.append(node.named(m, f"{level}_{index}", registered=registered))
        root = nodes[0].named(m, "_root", registered=bool(plan.root))
        m.d.comb += [
            self.total.eq(root.extended(len(self.total))),
            # the root came inverted as its sign says, or has yet to be
            self.inverted.eq(0 if config.fabric == "ice40" else root.inverted ^ root.negative),
            self.negative.eq(root.negative),
        ]
        return m

    def _leaves(self, m: Module, *, row: int) -> list[tuple[_Node, Value | None]]:
        """Products, each with the mask that its adder has yet to apply; ``row`` are added one after the other."""
        config = self._config
        negatives = [x.negative ^ w.negative for x, w in zip(self.x, self.w, strict=True)]
        wanted = _inversions(negatives) if config.fabric == "ice40" else [Const(0)] * config.lanes
        leaves: list[tuple[_Node, Value | None]] = []
        for lane, (negative, inverted) in enumerate(zip(negatives, wanted, strict=True)):
            first = lane % row == 0
            mask: Value | None = None
            if lane < config.dsp_lanes:
                product: Value = self.hard_products[lane] ^ inverted.replicate(config.product_bits)
            else:
                masked = not first and bool(_levels_in_a_row(config))
                m.submodules[f"multiplier{lane}"] = multiplier = Multiplier(config, first=first, masked=masked)
                m.d.comb += [
                    multiplier.x.eq(self.x[lane].magnitude),
                    multiplier.w.eq(self.w[lane].magnitude),
                    multiplier.inverted.eq(inverted),
                ]
                product, mask = multiplier.product, multiplier.mask if masked else None
            leaf = _Node(product, inverted, negative, Const(0))
            leaves.append((leaf.named(m, f"_product{lane}", registered=bool(pipeline(config).product)), mask))
        return leaves

    def _rows(self, m: Module, levels: int) -> list[_Node]:
        """Sums of ``2**levels`` products each, added one after the other."""
        plan, row = pipeline(self._config), 1 << levels
        leaves = self._leaves(m, row=row)
        nodes = []
        for index in range(0, len(leaves), row):
            node = leaves[index][0]
            for place in range(1, row):
                last = place == row - 1
                number = index // row
                name = f"{levels - 1}_{number}" if last else f"_row{number}_{place}"
                registered = last and levels % plan.tree_levels == 0 and levels < self._levels
                node = self._masked_sum(m, name, node, *leaves[index + place], place + 1)
                node = node.named(m, name, registered=registered)
            nodes.append(node)
        return nodes

    def _masked_sum(self, m: Module, name: str, a: _Node, b: _Node, mask: Value | None, count: int) -> _Node:
        """Sum of a node and a product, ``count`` products in all."""
        config = self._config
        first, bits = count == 2, config.product_bits
        largest = config.digits.base.bottom * config.weight_digits.base.bottom
        width = bits + 1 if first else (count * largest).bit_length() + 1
        differs = a.negative ^ b.negative
        m.submodules[f"sum{name}"] = adder = MaskedAdder(width)
        m.d.comb += [
            adder.a.eq(a.extended(width)),
            adder.b.eq(b.total),
            adder.s.eq(Const(1).replicate(bits) if mask is None else mask),
            adder.flip.eq(a.inverted ^ differs),
        ]
        return _Node(adder.y, differs, a.negative, differs if first else Const(1))

    def _sum(self, m: Module, platform: object, name: str, a: _Node, b: _Node, wanted: Value) -> _Node:
        """Sum of two nodes, on the first level in a bit less than it takes with its sign."""
        first = isinstance(a.signed, Const) and not a.signed.value
        width = len(a.total) + 1 if first else max(len(a.total) + 1, self._config.product_bits + 3)
        differs = a.negative ^ b.negative
        flips: Mapping[str, Value]
        if self._config.fabric == "xilinx":
            inverted, flips = Const(0), {"flip_b": differs, "carry": differs}
        elif self._config.fabric == "ecp5":
            inverted, flips = differs, {"flip_a": a.inverted ^ differs, "flip_b": b.inverted}
        else:
            inverted, flips = wanted, {"flip_y": wanted ^ differs}
        y = add(m, platform, f"sum{name}", a.extended(width), b.extended(width), **flips)
        return _Node(y, inverted, a.negative, differs if first else Const(1))
