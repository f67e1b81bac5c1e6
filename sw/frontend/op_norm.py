"""Norms: LpPool and GlobalLpPool, ReduceL1, ReduceL2 and ReduceSumSquare, as sums of powers and a root of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto, helper

from ..curves import Function, X
from .op_curve import element
from .op_elementwise import affine
from .op_pool import average_pool, global_average_pool
from .op_reduce import reduce

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["lp_pool", "reduce_norm"]

_POWERS = {"ReduceL1": (1, True), "ReduceL2": (2, True), "ReduceSumSquare": (2, False)}
"""The power that is summed, and whether a root of the sum is taken."""


def reduce_norm(importer: Importer, node: NodeProto) -> None:
    """Handler of ReduceL1, ReduceL2 and ReduceSumSquare over any axes."""
    exponent, rooted = _POWERS[node.op_type]
    powers, total = f"{node.output[0]}/powers", f"{node.output[0]}/sum"
    _power(importer, node, powers, exponent)
    inner = helper.make_node(
        "ReduceSum", [powers, *node.input[1:]], [total if rooted and exponent > 1 else node.output[0]]
    )
    inner.name = f"{importer.label(node)}/sum"
    inner.attribute.extend(node.attribute)
    reduce(importer, inner)
    if rooted and exponent > 1:
        _root(importer, node, total, exponent)


def lp_pool(importer: Importer, node: NodeProto) -> None:
    """Handler of LpPool and GlobalLpPool; padding counts as zeros."""
    attributes = importer.attributes(node)
    exponent = attributes.get("p", 2)
    powers, mean, total = (f"{node.output[0]}/{part}" for part in ("powers", "mean", "sum"))
    _power(importer, node, powers, exponent)
    inner = helper.make_node("AveragePool", [powers], [mean], name=f"{importer.label(node)}/mean")
    if node.op_type == "GlobalLpPool":
        global_average_pool(importer, inner)
        count = int(np.prod(importer.view(node).shape[2:]))
    else:
        if attributes.get("ceil_mode", 0):
            raise importer.unsupported(
                node, "ceil_mode=1 makes windows of several sizes: set it to 0, with explicit pads"
            )
        inner.attribute.extend(each for each in node.attribute if each.name not in ("p", "ceil_mode"))
        inner.attribute.append(helper.make_attribute("count_include_pad", 1))
        average_pool(importer, inner)
        count = int(np.prod(attributes["kernel_shape"]))
    scaled = helper.make_node(
        "Mul", [mean], [total if exponent > 1 else node.output[0]], name=f"{importer.label(node)}/sum"
    )
    affine(importer, scaled, importer.views[mean], float(count), 0.0)
    if exponent > 1:
        _root(importer, node, total, exponent)


def _power(importer: Importer, node: NodeProto, output: str, exponent: int) -> None:
    inner = helper.make_node("Pow", node.input[:1], [output], name=f"{importer.label(node)}/power")
    magnitude = Function("abs", (X,))
    element(importer, inner, magnitude if exponent == 1 else Function("pow", (magnitude, float(exponent))))


def _root(importer: Importer, node: NodeProto, total: str, exponent: int) -> None:
    inner = helper.make_node("Pow", [total], node.output, name=importer.label(node))
    element(importer, inner, Function("pow", (X, 1.0 / exponent)))
