"""Constants that differ from pixel to pixel: they join a layer over the whole image, or become terms of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.isa import BORDER_MAX
from ..constants import constant_layers
from ..errors import UnsupportedOperator
from ..graph import Graph, rebuild
from ..layers import Add, ElementAffine, Layer, Mac, Term
from ..windows import Shape, Window

__all__ = ["lower_elements"]

_MOST_TERMS = 64
"""Terms that factors by pixel may take."""


def lower_elements(graph: Graph) -> Graph:
    """Every `ElementAffine` joins the layers that read it, or becomes a `Mac` and an `Add`.

    A `Mac` over the whole image (a dense layer) weighs every element by itself, so it takes the map in. Elsewhere
    factors are those of one pixel, and changes from pixel to pixel as terms with insets; summands are weights of a
    tensor that holds a single 1, of which each output pixel sees another tap.

    Raises
    ------
    UnsupportedOperator
        If factors change more often than the machine's border numbers say.
    """
    layers = list(graph.layers)
    tensors = dict(graph.tensors)
    for element in [layer for layer in layers if isinstance(layer, ElementAffine)]:
        element = next(layer for layer in layers if layer.output == element.output)
        assert isinstance(element, ElementAffine)
        readers = [layer for layer in layers if element.output in layer.sources]
        shape = tensors[element.source]
        shown = element.output in graph.ends
        if readers and not shown and all(_sees_all(layer, element.output, shape) for layer in readers):
            layers = [
                _before(element, layer) if isinstance(layer, Mac) and layer in readers else layer
                for layer in layers
                if layer is not element
            ]
        else:
            at = layers.index(element)
            layers[at : at + 1] = _lowered(element, shape, tensors)
    return rebuild(replace(graph, tensors=tensors), layers)


def _sees_all(layer: Layer, source: str, shape: Shape) -> bool:
    """Whether a layer reads a tensor through one window over the whole of it."""
    if not isinstance(layer, Mac):
        return False
    windows = [term.window for term in layer.terms if term.source == source]
    return all(window == Window(kernel=shape[1:], stride=window.stride) for window in windows)


def _before(element: ElementAffine, mac: Mac) -> Mac:
    """The layer reading the source of the map that it read the result of."""
    terms, bias = [], mac.bias
    for term in mac.terms:
        if term.source == element.output:
            own = element.scale[:, np.newaxis] if term.depthwise else element.scale[np.newaxis]
            shift = element.bias[:, np.newaxis] if term.depthwise else element.bias[np.newaxis]
            bias = bias + (term.weights * shift).sum(axis=(1, 2, 3))
            # trained integers cannot be kept: each element would need a step of its own
            term = replace(term, source=element.source, weights=term.weights * own, constant=False, step=None)
        terms.append(term)
    return replace(mac, terms=tuple(terms), bias=bias, copies=False)


def _lowered(element: ElementAffine, shape: Shape, tensors: dict[str, Shape]) -> list[Layer]:
    layers: list[Layer] = []
    channels = shape[0]
    scaled = f"{element.output}/scaled" if element.bias.any() else element.output
    if (element.scale == 1).all():
        scaled = element.source
    else:
        terms = tuple(
            Term(
                source=element.source,
                weights=gains[:, np.newaxis, np.newaxis, np.newaxis],
                window=Window(kernel=(1, 1), inset=inset),
                depthwise=True,
                constant=True,
            )
            for inset, gains in _factors(element)
        )
        tensors[scaled] = shape
        name = f"{element.name}/scaled" if scaled != element.output else element.name
        layers.append(Mac(name=name, terms=terms, bias=np.zeros(channels), output=scaled))
    if scaled == element.output:
        return layers
    summand = f"{element.output}/summand"
    made = constant_layers(element.source, shape, element.bias, name=f"{element.name}/summand", output=summand)
    tensors |= {made[0].output: (1, 1, 1), summand: shape}
    layers += [*made, Add(name=element.name, first=scaled, second=summand, output=element.output)]
    return layers


def _factors(element: ElementAffine) -> Iterator[tuple[tuple[int, int, int, int], NDArray[np.float64]]]:
    """Insets and gains (C,) whose sum over all that see a pixel is its factor."""
    found = [
        ((top, left, bottom, right), gains)
        for (top, bottom), lines in _changes(element.scale.transpose(1, 2, 0))
        for (left, right), gains in _changes(lines)
    ]
    if len(found) > _MOST_TERMS or max(max(inset) for inset, _ in found) > BORDER_MAX:
        raise UnsupportedOperator(
            f"layer {element.name!r} multiplies by a constant that differs from pixel to pixel in more than "
            f"{_MOST_TERMS} steps: use one value a channel, or put it before a dense layer"
        )
    yield from found


def _changes(values: NDArray[np.float64]) -> Iterator[tuple[tuple[int, int], NDArray[np.float64]]]:
    """Insets at both ends of axis 0, and what all values within them have more than those before."""
    middle, count = len(values) // 2, len(values)
    base = values[middle].copy()
    for at in range(1, count):
        ahead = at <= middle
        change = values[at] - values[at - 1] if ahead else values[at - 1] - values[at]
        if change.any():
            base -= change
            yield ((at, 0) if ahead else (0, count - at)), change
    if base.any():
        yield (0, 0), base
