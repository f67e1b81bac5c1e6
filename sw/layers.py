"""Layers of the float graph: what each computes, and from which tensors."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .curves import Function, X
from .enlarging import Factors
from .grids import Grid
from .quantised import MaxLayer, Segment
from .windows import Window

__all__ = [
    "Add",
    "Affine",
    "AveragePool",
    "Clamp",
    "Concat",
    "Curve",
    "ElementAffine",
    "Layer",
    "Mac",
    "MaxPool",
    "Product",
    "Quantise",
    "Term",
    "elementwise",
    "renamed",
    "scaled",
]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One source of a `Mac` with its weights.

    ``weights`` are real, of shape (O, I, kH, kW), or (C, 1, kH, kW) when ``depthwise``. ``constant`` weights come from
    the graph's structure (identity, average, scaling): depthwise, the same in all taps of a channel; they are quantised
    to integers of as many digits as their accuracy needs, not to the weight format. Trained integers have a ``step`` of
    shape (O,): the weights of channel o are whole multiples of ``step[o]``, and quantisation keeps them.
    """

    source: str
    weights: NDArray[np.float64]
    window: Window
    depthwise: bool = False
    constant: bool = False
    step: NDArray[np.float64] | None = None

    @functools.cached_property
    def read(self) -> NDArray[np.bool_]:
        """Taps (kH, kW) that some channel weighs."""
        return np.asarray(self.weights.any(axis=(0, 1)))

    def segment(self, levels: NDArray[np.int64]) -> Segment:
        """The term in integers."""
        return Segment(
            source=self.source,
            weights=levels,
            depthwise=self.depthwise,
            stride=self.window.stride,
            pads=self.window.pads,
            dilation=self.window.dilation,
            inset=self.window.inset,
        )


@dataclass(frozen=True, kw_only=True)
class _Named:
    """What all layers have: a name, the tensor that they write, and the names of the model's nodes they came from."""

    name: str
    output: str
    origin: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Unary(_Named):
    """A layer that reads one tensor."""

    source: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class _Binary(_Named):
    """A layer that reads two tensors."""

    first: str
    second: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return self.first, self.second


@dataclass(frozen=True, kw_only=True)
class Mac(_Named):
    """``clip(sum over terms + bias, low, high)``, or ``curve(sum over terms + bias)``; ``bias`` has shape (O,).

    A curve that reads trained integers reads the values of ``grid``, to which the sums are rounded then. Where it
    ``copies``, each sum is one element of a source, or 0: of several terms that see a pixel, all but one cancel out.
    Where it enlarges, its O channels are phases of the output (`enlarging`), and sums have fewer pixels than that.
    """

    terms: tuple[Term, ...]
    bias: NDArray[np.float64]
    low: float = -np.inf
    high: float = np.inf
    curve: Function | None = None
    grid: Grid | None = None
    copies: bool = False
    enlarge: Factors = (1, 1)

    def __post_init__(self) -> None:
        if any(len(term.weights) != len(self.bias) for term in self.terms):
            sizes = [len(term.weights) for term in self.terms]
            raise ValueError(f"weights for {sizes} channels with a bias for {len(self.bias)}")

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return tuple(term.source for term in self.terms)

    @functools.cached_property
    def large_weights(self) -> tuple[NDArray[np.int64], ...]:
        """Of each term how many learned weights are beyond half of the channel's largest: (2, O), negative first.

        On the coarsest scale that quantisation tries these are -1 and 1, all others 0.
        """
        learned = [term.weights for term in self.terms if not term.constant]
        ends = [np.maximum(w.max(axis=(1, 2, 3)), -w.min(axis=(1, 2, 3))) for w in learned]
        half = np.max(ends, axis=0) / 2 if ends else np.zeros(len(self.bias))
        half = half[:, np.newaxis, np.newaxis, np.newaxis]
        counts = []
        for term in self.terms:
            sides = (term.weights < -half, term.weights > half)
            found = [np.count_nonzero(side, axis=(1, 2, 3)) for side in sides]
            counts.append(np.zeros((2, len(half)), dtype=np.int64) if term.constant else np.array(found))
        return tuple(counts)

    @property
    def is_linear(self) -> bool:
        """Whether the output is the sum itself."""
        return self.curve is None and bool(np.isinf([self.low, self.high]).all())

    def activated(self, sums: NDArray) -> NDArray:
        """Outputs of sums, any shape and float type."""
        if self.curve is None:
            return np.clip(sums, self.low, self.high)
        return self.curve(sums if self.grid is None else self.grid.round(sums)).astype(sums.dtype)


@dataclass(frozen=True, kw_only=True)
class MaxPool(_Unary):
    """Maximum over windows, padding excluded."""

    window: Window

    def max_layer(self) -> MaxLayer:
        """The layer in integers: it compares levels as they are."""
        return MaxLayer(
            name=self.name,
            source=self.source,
            kernel=self.window.kernel,
            stride=self.window.stride,
            pads=self.window.pads,
            dilation=self.window.dilation,
            output=self.output,
        )


@dataclass(frozen=True, kw_only=True)
class AveragePool(_Unary):
    """Sum over windows divided by the window's size, padding counted as zeros."""

    window: Window


@dataclass(frozen=True, kw_only=True)
class Clamp(_Unary):
    """``clip(x, low, high)``: Relu, Relu6, Clip."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Curve(_Unary):
    """``function(x)`` of every element."""

    function: Function


@dataclass(frozen=True, kw_only=True)
class Quantise(_Unary):
    """Rounding to a trained grid."""

    grid: Grid


@dataclass(frozen=True, kw_only=True)
class Affine(_Unary):
    """``scale * x + bias`` by channel; both of shape (C,)."""

    scale: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ElementAffine(_Unary):
    """``scale * x + bias`` by element; both of the tensor's shape (C, H, W)."""

    scale: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Add(_Binary):
    """``first + sign * second`` of two tensors of one shape; ``sign`` is 1 or -1."""

    sign: int = 1


@dataclass(frozen=True, kw_only=True)
class Product(_Binary):
    """Product of two tensors of as many channels: elementwise, ``second`` of the shape of ``first`` or of one pixel for
    all; or with ``matrix`` summed over the channels, so that pixel o of ``second``, in line order, gives output channel
    o at every pixel of ``first``. Where it ``copies``, ``first`` holds 0 and 1, of a matrix product at most one 1 a
    pixel, so that each element is one of ``second``, or 0."""

    matrix: bool = False
    copies: bool = False


@dataclass(frozen=True, kw_only=True)
class Concat(_Named):
    """Channels of several tensors of one height and width, one behind the other."""

    parts: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return self.parts


def scaled(source: str, gains: NDArray[np.float64]) -> Term:
    """A term that passes a tensor on, each channel times its gain."""
    weights = np.asarray(gains, dtype=np.float64)[:, np.newaxis, np.newaxis, np.newaxis]
    return Term(source=source, weights=weights, window=Window(kernel=(1, 1)), depthwise=True, constant=True)


Layer = Mac | MaxPool | AveragePool | Clamp | Curve | Quantise | Affine | ElementAffine | Add | Product | Concat


def elementwise(layer: Layer | None) -> Function | None:
    """What a layer does to every element, if that is the same for all: of `Curve`, `Clamp`, `Affine`, `Quantise`."""
    match layer:
        case Curve():
            return layer.function
        case Clamp():
            return Function("clip", (X, layer.low, layer.high))
        case Affine() if np.ptp(layer.scale) == 0 and np.ptp(layer.bias) == 0:
            return Function("add", (Function("mul", (X, float(layer.scale[0]))), float(layer.bias[0])))
        case Quantise() if not layer.grid.bipolar:
            grid = layer.grid
            return Function("quantise", (X, grid.scale, float(grid.zero), float(grid.low), float(grid.high)))
    return None


def renamed(layer: Layer, names: Mapping[str, str]) -> Layer:
    """The layer reading other tensors in the places of some."""
    if not any(source in names for source in layer.sources):
        return layer
    if isinstance(layer, Mac):
        terms = tuple(replace(term, source=names.get(term.source, term.source)) for term in layer.terms)
        return replace(layer, terms=terms)
    if isinstance(layer, Concat):
        return replace(layer, parts=tuple(names.get(part, part) for part in layer.parts))
    if isinstance(layer, Add | Product):
        return replace(layer, first=names.get(layer.first, layer.first), second=names.get(layer.second, layer.second))
    return replace(layer, source=names.get(layer.source, layer.source))
