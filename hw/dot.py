"""DotProduct: lanes of products summed in a tree that never negates a product (deferred sign)."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .adder import AddSub, extend
from .multiplier import Multiplier
from .operand import operand_layout
from .spec.config import AcceleratorConfig

__all__ = ["DotProduct"]


class DotProduct(wiring.Component):
    """Sum over lanes of ``level(x) * level(w)``, as a signed magnitude ``total`` and a sign to apply to it: a leaf
    multiplies magnitudes; a node adds or subtracts by the XOR of its operands' signs and passes the first sign on.

    True value: ``-total if negative else total``, `latency` cycles after the operands. No stall, no back-pressure: one
    dot product a cycle. The magnitudes of the first ``config.dsp_lanes`` products come from outside, on
    ``hard_products``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._lanes = config.lanes
        self._stage = config.tree_stage
        self._levels = (config.lanes - 1).bit_length()
        self._hard_lanes = config.dsp_lanes
        self._product_stage = config.product_stage
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
                "negative": Out(1),
                **hard_products,
            }
        )

    @staticmethod
    def total_shape(config: AcceleratorConfig) -> Shape:
        """Shape of ``total``: a signed sum of ``lanes`` products."""
        return signed(config.product_bits + (config.lanes - 1).bit_length() + 1)

    @staticmethod
    def stages(config: AcceleratorConfig) -> int:
        """Pipeline registers between operands and result: behind the products if ``product_stage``, and after every
        ``tree_stage`` tree levels but the last."""
        return config.product_stage + ((config.lanes - 1).bit_length() - 1) // config.tree_stage

    def elaborate(self, platform: object) -> Module:
        """Build the products and the tree."""
        m = Module()
        product_bits = self._config.product_bits
        nodes: list[tuple[Value, Value]] = []
        for lane in range(self._lanes):
            x, w = self.x[lane], self.w[lane]
            if lane < self._hard_lanes:
                product: Value = self.hard_products[lane]
            else:
                m.submodules[f"multiplier{lane}"] = multiplier = Multiplier(self._config)
                m.d.comb += [multiplier.a.eq(x.magnitude), multiplier.b.eq(w.magnitude)]
                product = multiplier.product
            negative: Value = x.negative ^ w.negative
            if self._product_stage:
                made, made_negative = Signal(product_bits, name=f"product{lane}"), Signal(name=f"negative{lane}")
                m.d.sync += [made.eq(product), made_negative.eq(negative)]
                product, negative = made, made_negative
            nodes.append((product, negative))
        for level in range(self._levels):
            width = product_bits + level + 2
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
