"""The typed float graph: what frontends produce and passes rewrite, over (C, H, W) tensors of one sample."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .curves import Function, X
from .origin import with_origins
from .outputs import Output, output_tensors
from .quantised import InputSpec, Segment
from .states import State

__all__ = [
    "Add",
    "Affine",
    "AveragePool",
    "Clamp",
    "Concat",
    "Curve",
    "ElementAffine",
    "Graph",
    "Grid",
    "Layer",
    "Mac",
    "MaxPool",
    "Product",
    "Quantise",
    "Rounding",
    "Shape",
    "Term",
    "Window",
    "elementwise",
    "rebuild",
    "renamed",
    "scaled",
]

Shape = tuple[int, int, int]

_LONGEST = 1 << 20  # pixels of a side: no image has more


@dataclass(frozen=True, kw_only=True)
class Window:
    """Geometry of a sliding window; ``pads`` are (top, left, bottom, right).

    A negative pad leaves out lines or columns. ``inset`` are lines and columns of output pixels, at the same four
    sides, that see only padding.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    inset: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            steps = f"stride {self.stride}, dilation {self.dilation}"
            raise ValueError(f"kernel {self.kernel}, {steps}: all must be positive")
        if max(*self.kernel, *self.dilation) > _LONGEST:
            raise ValueError(f"kernel {self.kernel} and dilation {self.dilation} reach beyond {_LONGEST} pixels")

    @property
    def sees_padding(self) -> bool:
        """Whether some output pixel may find a tap in padding."""
        return max(self.pads) > 0 or any(self.inset)

    def inside(self, height: int, width: int) -> NDArray[np.bool_]:
        """Which of ``height`` x ``width`` output pixels lie within the inset."""
        top, left, bottom, right = self.inset
        pixels = np.zeros((height, width), dtype=np.bool_)
        pixels[top : max(0, height - bottom), left : max(0, width - right)] = True
        return pixels

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Lines and columns that windows over ``height`` x ``width`` pixels give."""
        padded = height + self.pads[0] + self.pads[2], width + self.pads[1] + self.pads[3]
        rows, columns = (
            (size - d * (k - 1) - 1) // s + 1
            for size, k, s, d in zip(padded, self.kernel, self.stride, self.dilation, strict=True)
        )
        return rows, columns


class Rounding(Enum):
    """How the arithmetic of a trained model comes to the integers of a grid; always to the nearest, but for ties.

    ``TWICE`` is that of TFLite's reference kernels: sums times a multiplicand of 31 bits are rounded to integers, ties
    up, and those divided by a power of two, ties away from 0. A ``MEAN`` does the same, its multiplicand divided by the
    number of values. Real values round ``AWAY`` then.
    """

    EVEN = "to the even integer"
    AWAY = "away from the real value 0"
    CODE_AWAY = "away from the integer 0"
    TWICE = "rounded twice"
    MEAN = "rounded twice, as a mean"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Values ``scale * (q - zero)`` of the integers q from ``low`` to ``high``: what a trained quantiser rounds to.

    A ``bipolar`` grid has q = -1 and 1 only, by sign (1 for 0). Grids of the same values are the same, whatever the
    ``rounding`` that leads there.
    """

    scale: float
    zero: int
    low: int
    high: int
    bipolar: bool = False
    rounding: Rounding = field(default=Rounding.EVEN, compare=False)

    def integers(self, values: ArrayLike) -> NDArray[np.int64]:
        """Integers q of real values, any shape."""
        q = np.asarray(values, dtype=np.float64) / self.scale + self.zero
        if self.bipolar:
            return np.where(q >= 0, 1, -1)
        q = np.clip(q, self.low, self.high)
        if self.rounding is Rounding.EVEN:
            return np.rint(q).astype(np.int64)
        centre = 0 if self.rounding is Rounding.CODE_AWAY else self.zero
        return (centre + np.copysign(np.floor(np.abs(q - centre) + 0.5), q - centre)).astype(np.int64)

    def round(self, values: ArrayLike) -> NDArray[np.float64]:
        """Real values after rounding, any shape."""
        return (self.integers(values) - self.zero).astype(np.float64) * self.scale

    def clipped(self, low: float, high: float) -> Grid | None:
        """The part of the grid between two real values (infinite: unbounded); None if one lies between its values."""
        ends = self.scale * (np.array((self.low, self.high)) - self.zero)
        bounds = np.maximum(low, ends[0]), np.minimum(high, ends[1])
        if not np.allclose(self.round(bounds), bounds, rtol=0, atol=1e-6 * self.scale):
            return None
        first, last = (int(q) for q in self.integers(bounds))
        return replace(self, low=first, high=last)


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
class Mac(_Named):
    """``clip(sum over terms + bias, low, high)``, or ``curve(sum over terms + bias)``; ``bias`` has shape (O,).

    A curve that reads trained integers reads the values of ``grid``, to which the sums are rounded then. Where it
    ``copies``, each sum is one element of a source, or 0: of several terms that see a pixel, all but one cancel out.
    """

    terms: tuple[Term, ...]
    bias: NDArray[np.float64]
    low: float = -np.inf
    high: float = np.inf
    curve: Function | None = None
    grid: Grid | None = None
    copies: bool = False

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
class MaxPool(_Named):
    """Maximum over windows, padding excluded."""

    source: str
    window: Window

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class AveragePool(_Named):
    """Sum over windows divided by the window's size, padding counted as zeros."""

    source: str
    window: Window

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Clamp(_Named):
    """``clip(x, low, high)``: Relu, Relu6, Clip."""

    source: str
    low: float
    high: float

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Curve(_Named):
    """``function(x)`` of every element."""

    source: str
    function: Function

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Quantise(_Named):
    """Rounding to a trained grid."""

    source: str
    grid: Grid

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Affine(_Named):
    """``scale * x + bias`` by channel; both of shape (C,)."""

    source: str
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class ElementAffine(_Named):
    """``scale * x + bias`` by element; both of the tensor's shape (C, H, W)."""

    source: str
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Add(_Named):
    """``first + sign * second`` of two tensors of one shape; ``sign`` is 1 or -1."""

    first: str
    second: str
    sign: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return self.first, self.second


@dataclass(frozen=True, kw_only=True)
class Product(_Named):
    """Product of two tensors of as many channels: elementwise, ``second`` of the shape of ``first`` or of one pixel for
    all; or with ``matrix`` summed over the channels, so that pixel o of ``second``, in line order, gives output channel
    o at every pixel of ``first``."""

    first: str
    second: str
    matrix: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return self.first, self.second


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


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Layers in execution order over named tensors.

    ``outputs`` are the model's, in its order; ``notes`` say in one line each what of the model is left to the host.
    ``grids`` holds the trained grids of tensors whose `Quantise` layers are gone: of the input, of states, and of what
    layers write.
    """

    name: str
    tensors: dict[str, Shape]
    input: InputSpec
    layers: tuple[Layer, ...]
    outputs: tuple[Output, ...]
    notes: tuple[str, ...] = ()
    grids: dict[str, Grid] = field(default_factory=dict)
    states: tuple[State, ...] = ()

    @property
    def output_tensors(self) -> tuple[str, ...]:
        """Tensors that outputs show, each once."""
        return output_tensors(self.outputs)

    @property
    def starts(self) -> tuple[str, ...]:
        """Tensors that no layer writes: the input, then the states."""
        return self.input.tensor, *(state.tensor for state in self.states)

    @property
    def ends(self) -> tuple[str, ...]:
        """Tensors that are needed when a run is over, each once: those that outputs show, and updates of states."""
        return tuple(dict.fromkeys((*self.output_tensors, *(state.update for state in self.states))))

    def producers(self) -> dict[str, Layer]:
        """Layer that writes each tensor (none for the input)."""
        return {layer.output: layer for layer in self.layers}

    def last_readers(self) -> dict[str, Layer]:
        """The last layer that reads each tensor, of those that layers read."""
        return {source: layer for layer in self.layers for source in layer.sources}

    def uses(self) -> Counter[str]:
        """How often each tensor is read: by layers, by outputs of the network, by states that take it over."""
        taken = [output.tensor for output in self.outputs] + [state.update for state in self.states]
        return Counter([s for layer in self.layers for s in layer.sources] + taken)


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


def rebuild(graph: Graph, layers: list[Layer]) -> Graph:
    """The graph with other layers: ordered in an order of execution, unread layers and tensors dropped.

    Their origins go on (`origin.with_origins`); every rewrite ends here.
    """
    producers = {layer.output: layer for layer in layers}
    ordered: dict[str, Layer] = {}
    pending = [(name, False) for name in reversed(graph.ends)]
    while pending:
        name, ready = pending.pop()
        layer = producers.get(name)
        if layer is None or layer.output in ordered:
            continue
        if ready:
            ordered[layer.output] = layer
        else:
            pending.append((name, True))
            pending.extend((source, False) for source in reversed(layer.sources))
    names = {*graph.starts, *ordered}
    tensors = {name: shape for name, shape in graph.tensors.items() if name in names}
    grids = {name: grid for name, grid in graph.grids.items() if name in names}
    return replace(graph, layers=with_origins(graph.layers, tuple(ordered.values())), tensors=tensors, grids=grids)
