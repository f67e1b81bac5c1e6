"""Normalisation by what is measured in each sample, written out: means, squares, a table of 1 / sqrt, a product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, helper

from .op_curve import curve, power, product
from .op_elementwise import affine, subtract
from .op_reduce import reduce
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = [
    "group_normalization",
    "instance_normalization",
    "layer_normalization",
    "lp_normalization",
    "mean_variance_normalization",
    "rms_normalization",
]


class _Steps:
    """Plain nodes that take the place of one, each handled at once."""

    def __init__(self, importer: Importer, node: NodeProto) -> None:
        self.importer, self.node, self.value = importer, node, node.input[0]

    def _node(self, kind: str, inputs: list[str], what: str, **attributes: Any) -> NodeProto:
        name = f"{self.importer.label(self.node)}/{what}"
        return helper.make_node(kind, inputs, [f"{self.node.output[0]}/{what}"], name=name, **attributes)

    def mean(self, value: str, axes: tuple[int, ...], what: str, kind: str = "ReduceMean") -> str:
        """Mean over axes, which stay."""
        made = self._node(kind, [value], what, axes=list(axes), keepdims=1)
        reduce(self.importer, made)
        return made.output[0]

    def centred(self, value: str, axes: tuple[int, ...]) -> str:
        """The value without its mean."""
        made = self._node("Sub", [value, self.mean(value, axes, "mean")], "centred")
        subtract(self.importer, made)
        return made.output[0]

    def square(self, value: str) -> str:
        """Squares, by a table."""
        exponent = f"{self.node.output[0]}/two"
        self.importer.constants[exponent] = np.array(2.0)
        made = self._node("Pow", [value, exponent], "squares")
        power(self.importer, made)
        return made.output[0]

    def shifted(self, value: str, by: float) -> str:
        """The value and a constant."""
        made = self._node("Add", [value], "shifted")
        affine(self.importer, made, self.importer.views[value], 1.0, by)
        return made.output[0]

    def inverse_root(self, value: str) -> str:
        """1 / sqrt(x), by a table."""
        for kind, what in (("Sqrt", "root"), ("Reciprocal", "inverse")):
            made = self._node(kind, [value], what)
            curve(self.importer, made)
            value = made.output[0]
        return value

    def times(self, value: str, factor: str) -> str:
        """Product of both, broadcast to each other."""
        made = self._node("Mul", [value, factor], "normalised")
        product(self.importer, made)
        return made.output[0]

    def scaled(self, value: str, scale: Any, bias: Any) -> None:
        """The node's output: scale and bias of constants."""
        affine(self.importer, self.node, self.importer.views[value], scale, bias)


def _constants(importer: Importer, node: NodeProto, count: int) -> list[Any]:
    """Operands 1 to ``count`` as constants: a scale, 1 where it is absent, and a bias, 0 where that is."""
    found = []
    for position, absent in zip(range(1, count + 1), (1.0, 0.0), strict=False):
        value = importer.constant(node, position)
        if value is None and position < len(node.input) and node.input[position]:
            raise importer.unsupported(node, "its scale and bias must be constant")
        found.append(absent if value is None else value.astype(np.float64))
    return found


def _normalised(importer: Importer, node: NodeProto, value: str, axes: tuple[int, ...], epsilon: float) -> str:
    """The value times the inverse root of its mean square over some axes."""
    steps = _Steps(importer, node)
    mean_square = steps.mean(steps.square(value), axes, "variance")
    return steps.times(value, steps.inverse_root(steps.shifted(mean_square, epsilon)))


def layer_normalization(importer: Importer, node: NodeProto) -> None:
    """Handler of LayerNormalization."""
    _over_last(importer, node, centre=True)


def rms_normalization(importer: Importer, node: NodeProto) -> None:
    """Handler of RMSNormalization."""
    _over_last(importer, node, centre=False)


def _over_last(importer: Importer, node: NodeProto, *, centre: bool) -> None:
    attributes, rank = importer.attributes(node), len(importer.view(node).shape)
    axes = tuple(range(attributes.get("axis", -1) % rank, rank))
    scale, bias = _constants(importer, node, 2)
    steps = _Steps(importer, node)
    value = steps.centred(node.input[0], axes) if centre else node.input[0]
    steps.scaled(_normalised(importer, node, value, axes, attributes.get("epsilon", 1e-5)), scale, bias)


def instance_normalization(importer: Importer, node: NodeProto) -> None:
    """Handler of InstanceNormalization: each channel by itself."""
    rank = len(importer.view(node).shape)
    scale, bias = (np.reshape(each, (-1, *(1,) * (rank - 2))) for each in _constants(importer, node, 2))
    axes = tuple(range(2, rank))
    steps = _Steps(importer, node)
    value = steps.centred(node.input[0], axes)
    epsilon = importer.attributes(node).get("epsilon", 1e-5)
    steps.scaled(_normalised(importer, node, value, axes, epsilon), scale, bias)


def group_normalization(importer: Importer, node: NodeProto) -> None:
    """Handler of GroupNormalization: channels in groups."""
    attributes, view = importer.attributes(node), importer.chw(importer.view(node))
    scale, bias = (np.ravel(each) for each in _constants(importer, node, 2))
    grouped = f"{node.output[0]}/groups"
    importer.views[grouped] = View(view.tensor, view.index.reshape(1, attributes["num_groups"], -1))
    steps = _Steps(importer, node)
    value = _normalised(importer, node, steps.centred(grouped, (2,)), (2,), attributes.get("epsilon", 1e-5))
    whole = importer.views[value]
    importer.views[value] = View(whole.tensor, whole.index.reshape(view.shape))
    by_axis = (-1, *(1,) * (len(view.shape) - 2))
    steps.scaled(value, scale.reshape(by_axis), bias.reshape(by_axis))


def mean_variance_normalization(importer: Importer, node: NodeProto) -> None:
    """Handler of MeanVarianceNormalization."""
    axes = tuple(importer.attributes(node).get("axes", (0, 2, 3)))
    steps = _Steps(importer, node)
    value = steps.centred(node.input[0], axes)
    steps.scaled(_normalised(importer, node, value, axes, 1e-9), 1.0, 0.0)


def lp_normalization(importer: Importer, node: NodeProto) -> None:
    """Layers of an LpNormalization of order 2 that others read."""
    attributes, rank = importer.attributes(node), len(importer.view(node).shape)
    if attributes.get("p", 2) != 2:
        raise importer.unsupported(node, "in the middle of a network its order must be 2")
    axes = (attributes.get("axis", -1) % rank,)
    steps = _Steps(importer, node)
    total = steps.mean(steps.square(node.input[0]), axes, "sum", "ReduceSum")
    steps.scaled(steps.times(node.input[0], steps.inverse_root(total)), 1.0, 0.0)
