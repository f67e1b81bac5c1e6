"""Activation functions of single elements: operators of one tensor, and products of what derives from one tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, helper

from ..curves import Function, X
from ..layers import Add, Curve, Layer, elementwise
from .op_product import elementwise_product

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["CURVES", "FUNCTIONS", "curve", "element", "power", "product"]


def _times(first: Function, second: Function | float) -> Function:
    return Function("mul", (first, second))


def _swish(alpha: float) -> Function:
    return _times(X, Function("sigmoid", (_times(X, alpha),)))


def _gelu(attributes: Mapping[str, Any]) -> Function:
    if attributes.get("approximate", "none") == "tanh":
        cube = _times(Function("pow", (X, 3.0)), 0.044715)
        inner = Function("tanh", (_times(Function("add", (X, cube)), float(np.sqrt(2 / np.pi))),))
    else:
        inner = Function("erf", (_times(X, float(np.sqrt(0.5))),))
    return _times(_times(X, 0.5), Function("add", (inner, 1.0)))


def _selu(attributes: Mapping[str, Any]) -> Function:
    alpha, gamma = attributes.get("alpha", 1.6732631921768188), attributes.get("gamma", 1.0507010221481323)
    return _times(Function("elu", (X, alpha)), gamma)


def _celu(attributes: Mapping[str, Any]) -> Function:
    alpha = attributes.get("alpha", 1.0)
    return _times(Function("elu", (_times(X, 1 / alpha), 1.0)), alpha)


def _hard_swish() -> Function:
    return _times(X, Function("clip", (Function("add", (_times(X, 1 / 6), 0.5)), 0.0, 1.0)))


_BY_NAME = (
    *("Sigmoid", "Tanh", "Softplus", "Softsign", "Erf", "Exp", "Log", "Sqrt", "Abs"),
    *("Sin", "Cos", "Floor", "Ceil", "Round", "Sign"),
)
"""Operators that `curves.OPERATORS` has by the same name."""


def _named(operator: str) -> Callable[[Mapping[str, Any]], Function]:
    return lambda attributes: Function(operator, (X,))


FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any]], Function]] = {
    **{name: _named(name.lower()) for name in _BY_NAME},
    "HardSwish": lambda attributes: _hard_swish(),
    "Swish": lambda attributes: _swish(attributes.get("alpha", 1.0)),
    "Gelu": _gelu,
    "Mish": lambda attributes: _times(X, Function("tanh", (Function("softplus", (X,)),))),
    "Elu": lambda attributes: Function("elu", (X, attributes.get("alpha", 1.0))),
    "Selu": _selu,
    "Celu": _celu,
    "ThresholdedRelu": lambda attributes: Function("thresholdedrelu", (X, attributes.get("alpha", 1.0))),
    "Reciprocal": lambda attributes: Function("div", (1.0, X)),
}
"""What operators compute of an element, from their attributes."""

CURVES = frozenset(FUNCTIONS)
"""Operators that are a function of each element."""


def curve(importer: Importer, node: NodeProto) -> None:
    """Handler of all `CURVES`."""
    element(importer, node, FUNCTIONS[node.op_type](importer.attributes(node)))


def power(importer: Importer, node: NodeProto) -> None:
    """Handler of Pow by one constant."""
    exponent = importer.constant(node, 1)
    if exponent is None or exponent.size != 1:
        raise importer.unsupported(node, "its exponent must be constant, one for all elements")
    element(importer, node, Function("pow", (X, float(exponent.item()))))


def element(importer: Importer, node: NodeProto, function: Function) -> None:
    """A layer that is a function of each element."""
    view = importer.chw(importer.view(node))
    name = importer.unique(importer.label(node))
    layer = Curve(name=name, source=view.tensor, function=function, output=node.output[0])
    importer.emit(node, layer, importer.tensors[view.tensor], view.index)


def product(importer: Importer, node: NodeProto) -> None:
    """Handler of Mul and Div of two tensors; where both are functions of one, as in ``x * sigmoid(x)`` and
    ``x / (1 + abs(x))``, a curve."""
    first, second = (importer.chw(importer.view(node, position)) for position in (0, 1))
    layers: dict[str, Layer] = {layer.output: layer for layer in importer.layers}
    own, other = (_origins(view.tensor, layers) for view in (first, second))
    source = next((tensor for tensor in own if tensor in other), None)
    if source is None or not np.array_equal(first.index, second.index):
        if node.op_type == "Div":  # by the table of the inverse
            inverse = f"{node.output[0]}/inverse"
            name = f"{importer.label(node)}/inverse"
            curve(importer, helper.make_node("Reciprocal", node.input[1:], [inverse], name=name))
            second = importer.views[inverse]
        elementwise_product(importer, node, first, second)
        return
    name = importer.unique(importer.label(node))
    layer = Curve(
        name=name,
        source=source,
        function=Function(node.op_type.lower(), (own[source], other[source])),
        output=node.output[0],
    )
    importer.emit(node, layer, importer.tensors[source], first.index)


def _origins(tensor: str, layers: Mapping[str, Layer]) -> dict[str, Function]:
    """Tensors of whose elements those of a tensor are functions, itself first, then the nearest."""
    layer = layers.get(tensor)
    found = {tensor: X}
    if isinstance(layer, Add):
        first, second = (_origins(source, layers) for source in (layer.first, layer.second))
        operator = "add" if layer.sign > 0 else "sub"
        return found | {name: Function(operator, (first[name], second[name])) for name in first if name in second}
    function = elementwise(layer)
    if layer is None or function is None:
        return found
    return found | {name: function.of(inner) for name, inner in _origins(layer.sources[0], layers).items()}
