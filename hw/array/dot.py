"""DotProduct: lanes of products summed in a tree that never negates a product (deferred sign)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.adder import add
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from .multiplier import Multiplier
from .operand import operand_layout

__all__ = ["DotProduct"]


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
        operand = operand_layout(config.digits.base)
        super().__init__(
            {
                "x": In(data.ArrayLayout(operand, config.lanes)),
                "w": In(data.ArrayLayout(operand, config.lanes)),
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
        nodes = self._leaves(m)
        for level in range(self._levels):
            registered = (level + 1) % plan.tree_levels == 0 and level + 1 < self._levels
            pairs = list(zip(nodes[::2], nodes[1::2], strict=True))
            wanted = _inversions([a.negative for a, _ in pairs])
            nodes = []
            for index, ((a, b), inversion) in enumerate(zip(pairs, wanted, strict=True)):
                node = self._sum(m, platform, f"{level}_{index}", a, b, inversion)
                nodes.append(node.named(m, f"{level}_{index}", registered=registered))
        [root] = nodes
        m.d.comb += [
            self.total.eq(root.extended(len(self.total))),
            # the root came inverted as its sign says, or has yet to be
            self.inverted.eq(0 if config.fabric == "ice40" else root.inverted ^ root.negative),
            self.negative.eq(root.negative),
        ]
        return m

    def _leaves(self, m: Module) -> list[_Node]:
        config = self._config
        negatives = [x.negative ^ w.negative for x, w in zip(self.x, self.w, strict=True)]
        wanted = _inversions(negatives) if config.fabric == "ice40" else [Const(0)] * config.lanes
        leaves = []
        for lane, (negative, inverted) in enumerate(zip(negatives, wanted, strict=True)):
            if lane < config.dsp_lanes:
                product: Value = self.hard_products[lane] ^ inverted.replicate(config.product_bits)
            else:
                m.submodules[f"multiplier{lane}"] = multiplier = Multiplier(config, first=lane % 2 == 0)
                m.d.comb += [
                    multiplier.x.eq(self.x[lane].magnitude),
                    multiplier.w.eq(self.w[lane].magnitude),
                    multiplier.inverted.eq(inverted),
                ]
                product = multiplier.product
            leaf = _Node(product, inverted, negative, Const(0))
            leaves.append(leaf.named(m, f"_product{lane}", registered=bool(pipeline(config).product)))
        return leaves

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
