"""The typed float graph: what frontends produce and passes rewrite, over (C, H, W) tensors of one sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .quantised import InputSpec

__all__ = [
    "Add",
    "Affine",
    "AveragePool",
    "Clamp",
    "Graph",
    "Layer",
    "Mac",
    "MaxPool",
    "Shape",
    "Term",
    "Window",
    "rebuild",
]

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Geometry of a sliding window; ``pads`` are (top, left, bottom, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Lines and columns that windows over ``height`` x ``width`` pixels give."""
        padded = height + self.pads[0] + self.pads[2], width + self.pads[1] + self.pads[3]
        rows, columns = (
            (size - d * (k - 1) - 1) // s + 1
            for size, k, s, d in zip(padded, self.kernel, self.stride, self.dilation, strict=True)
        )
        return rows, columns


@dataclass(frozen=True, kw_only=True)
class Term:
    """One source of a `Mac` with its weights.

    ``weights`` are real, of shape (O, I, kH, kW), or (C, 1, kH, kW) when ``depthwise``. ``constant`` weights come from
    the graph's structure (identity, average, scaling): depthwise, the same in all taps of a channel; they are quantised
    to integers of as many digits as their accuracy needs, not to the weight format.
    """

    source: str
    weights: NDArray[np.float64]
    window: Window
    depthwise: bool = False
    constant: bool = False


@dataclass(frozen=True, kw_only=True)
class Mac:
    """``clip(sum over terms + bias, low, high)``; ``bias`` has shape (O,)."""

    name: str
    terms: tuple[Term, ...]
    bias: NDArray[np.float64]
    output: str
    low: float = -np.inf
    high: float = np.inf

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return tuple(term.source for term in self.terms)


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """Maximum over windows, padding excluded."""

    name: str
    source: str
    window: Window
    output: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class AveragePool:
    """Sum over windows divided by the window's size, padding counted as zeros."""

    name: str
    source: str
    window: Window
    output: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Clamp:
    """``clip(x, low, high)``: Relu, Relu6, Clip."""

    name: str
    source: str
    low: float
    high: float
    output: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Affine:
    """``scale * x + bias`` by channel; both of shape (C,)."""

    name: str
    source: str
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    output: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True)
class Add:
    """``first + sign * second`` of two tensors of one shape; ``sign`` is 1 or -1."""

    name: str
    first: str
    second: str
    output: str
    sign: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return self.first, self.second


Layer = Mac | MaxPool | AveragePool | Clamp | Affine | Add


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Layers in execution order over named tensors.

    ``outputs`` are tensor names with the shape (without batch) the model gives them; ``notes`` say in one line each
    what of the model is left to the host.
    """

    name: str
    tensors: dict[str, Shape]
    input: InputSpec
    layers: tuple[Layer, ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]
    notes: tuple[str, ...] = ()

    def producers(self) -> dict[str, Layer]:
        """Layer that writes each tensor (none for the input)."""
        return {layer.output: layer for layer in self.layers}

    def uses(self) -> Counter[str]:
        """How often each tensor is read, by layers or as an output of the network."""
        return Counter([s for layer in self.layers for s in layer.sources] + [name for name, _ in self.outputs])


def rebuild(graph: Graph, layers: list[Layer]) -> Graph:
    """The graph with other layers: ordered in an order of execution, unread layers and tensors dropped."""
    producers = {layer.output: layer for layer in layers}
    ordered: dict[str, Layer] = {}
    pending = [(name, False) for name, _ in reversed(graph.outputs)]
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
    names = {graph.input.tensor} | set(ordered)
    tensors = {name: shape for name, shape in graph.tensors.items() if name in names}
    return replace(graph, layers=tuple(ordered.values()), tensors=tensors)
