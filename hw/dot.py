"""DotProduct: lanes of products summed in a tree that never negates a product (deferred sign)."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .adder import AddSub, extend
from .multiplier import PRODUCT_BITS, Multiplier
from .operand import OPERAND
from .spec.config import AcceleratorConfig

__all__ = ["DotProduct"]


class DotProduct(wiring.Component):
    """Sum over lanes of ``level(x) * level(w)``, as a signed magnitude ``total`` and a sign to apply to it: a leaf
    multiplies magnitudes; a node adds or subtracts by the XOR of its operands' signs and passes the first sign on.

    True value: ``-total if negative else total``, `latency` cycles after the operands. No stall, no back-pressure: one
    dot product a cycle.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._lanes = config.lanes
        self._stage = config.tree_stage
        self._levels = (config.lanes - 1).bit_length()
        super().__init__(
            {
                "x": In(data.ArrayLayout(OPERAND, config.lanes)),
                "w": In(data.ArrayLayout(OPERAND, config.lanes)),
                "total": Out(self.total_shape(config)),
                "negative": Out(1),
            }
        )

    @staticmethod
    def total_shape(config: AcceleratorConfig) -> Shape:
        """Shape of ``total``: a signed sum of ``lanes`` products."""
        return signed(PRODUCT_BITS + (config.lanes - 1).bit_length() + 1)

    @staticmethod
    def stages(config: AcceleratorConfig) -> int:
        """Pipeline registers between operands and result: one after every ``tree_stage`` tree levels but the last."""
        return ((config.lanes - 1).bit_length() - 1) // config.tree_stage

    def elaborate(self, platform: object) -> Module:
        """Build the products and the tree."""
        m = Module()
        nodes: list[tuple[Value, Value]] = []
        for lane in range(self._lanes):
            m.submodules[f"multiplier{lane}"] = multiplier = Multiplier()
            x, w = self.x[lane], self.w[lane]
            m.d.comb += [multiplier.a.eq(x.magnitude), multiplier.b.eq(w.magnitude)]
            nodes.append((multiplier.product, x.negative ^ w.negative))
        for level in range(self._levels):
            width = PRODUCT_BITS + level + 2
            registered = (level + 1) % self._stage == 0 and level + 1 < self._levels
            domain = m.d.sync if registered else m.d.comb
            parents: list[tuple[Value, Value]] = []
            for index in range(0, len(nodes), 2):
                (a, sign_a), (b, sign_b) = nodes[index], nodes[index + 1]
                total = Signal(width, name=f"total{level}_{index // 2}")
                sign = Signal(name=f"sign{level}_{index // 2}")
                m.submodules[f"node{level}_{index // 2}"] = node = AddSub(width)
                m.d.comb += [node.a.eq(extend(a, width)), node.b.eq(extend(b, width)), node.s.eq(sign_a ^ sign_b)]
                domain += [total.eq(node.y), sign.eq(sign_a)]
                parents.append((total.as_signed(), sign))
            nodes = parents
        m.d.comb += [self.total.eq(nodes[0][0]), self.negative.eq(nodes[0][1])]
        return m
