"""Channels that are filtered one by one, in parts with kernels of their own, become one layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, rebuild
from ..layers import Clamp, Concat, Curve, Layer, Mac, Quantise, Term

__all__ = ["join_channels"]

_Step = Clamp | Curve | Quantise


def join_channels(graph: Graph) -> Graph:
    """Every `Concat` of layers that filter one channel of the same tensor each, channel o the o-th, becomes one
    depthwise layer; kernels are as large as all of them together, filled up with zeros.

    Such are the parts of a mixed depthwise convolution (Tan, Le: "MixConv", 2019): half of the channels by 5 lines,
    the other half by 9. Alone each part is a dense layer, all but one in 64 of whose weights are zeros, and their
    concatenation is another.
    """
    producers, uses = graph.producers(), graph.uses()
    again = {layer.source: layer for layer in graph.layers if isinstance(layer, Quantise)}
    done: dict[str, Layer] = {}
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        found = _joined(layer, graph, producers, uses) if isinstance(layer, Concat) else None
        if found and uses[layer.output] == 1 and _repeats(again.get(layer.output), found[-1]):
            found[-1] = replace(found[-1], output=again[layer.output].output)
        for new in found or [layer]:
            done.setdefault(new.output, new)
            tensors[new.output] = graph.tensors[layer.output]
    return rebuild(replace(graph, tensors=tensors), list(done.values()))


def _repeats(layer: Quantise | None, before: Layer) -> bool:
    """Whether a layer quantises to the grid to which the one before it does."""
    return layer is not None and isinstance(before, Quantise) and layer.grid == before.grid


def _joined(concat: Concat, graph: Graph, producers: Mapping[str, Layer], uses: Counter[str]) -> list[Layer] | None:
    """The layers in a concatenation's place: the filter, and what its parts do element by element behind theirs."""
    macs, chains = [], []
    for part in concat.parts:
        layer, chain = producers.get(part), []
        while isinstance(layer, _Step) and uses[layer.output] == 1:
            chain.append(layer)
            layer = producers.get(layer.source)
        if (
            not isinstance(layer, Mac)
            or uses[layer.output] != 1
            or len(layer.terms) != 1
            or layer.copies
            or layer.enlarge != (1, 1)
        ):
            return None
        macs.append(layer)
        chains.append(chain[::-1])
    if len(macs) < 2 or any(_unnamed(mac) != _unnamed(macs[0]) for mac in macs):
        return None
    if any([_bare(one) for one in chain] != [_bare(one) for one in chains[0]] for chain in chains):
        return None
    term = _filter([mac.terms[0] for mac in macs], graph, concat.output)
    if term is None:
        return None
    names = [f"{concat.output}:part{number}" for number in range(len(chains[0]))] + [concat.output]
    bias = np.concatenate([mac.bias for mac in macs])
    joined: list[Layer] = [replace(macs[0], terms=(term,), bias=bias, output=names[0], origin=())]
    for step, source, output in zip(chains[0], names[:-1], names[1:], strict=True):
        joined.append(replace(step, source=source, output=output, origin=()))
    return joined


def _unnamed(mac: Mac) -> tuple[object, ...]:
    return mac.low, mac.high, mac.curve, mac.grid


def _bare(layer: _Step) -> _Step:
    """A layer but for its names."""
    return replace(layer, name="", source="", output="", origin=())


def _filter(terms: Sequence[Term], graph: Graph, output: str) -> Term | None:
    """The terms, each of some outputs, as one depthwise term of all of them; None where they are no such thing."""
    windows = [term.window for term in terms]
    first = windows[0]
    alike = all((w.stride, w.dilation, w.inset) == (first.stride, first.dilation, first.inset) for w in windows)
    kinds = {(term.source, term.constant, term.step is None) for term in terms}
    channels, *size = graph.tensors[terms[0].source]
    total, *pixels = graph.tensors[output]
    if not alike or len(kinds) > 1 or channels != total:
        return None
    begins = [min(-window.pads[axis] for window in windows) for axis in range(2)]
    shifts = [[-window.pads[axis] - begins[axis] for axis in range(2)] for window in windows]
    if any(shift[axis] % first.dilation[axis] for shift in shifts for axis in range(2)):
        return None
    places = [[shift[axis] // first.dilation[axis] for axis in range(2)] for shift in shifts]
    kernel = [
        max(window.kernel[axis] + place[axis] for window, place in zip(windows, places, strict=True))
        for axis in range(2)
    ]
    weights, start = np.zeros((total, 1, *kernel)), 0
    for term, (line, column) in zip(terms, places, strict=True):
        own = _diagonal(term, start)
        if own is None:
            return None
        height, width = term.window.kernel
        weights[start : start + len(own), :, line : line + height, column : column + width] = own
        start += len(own)
    ends = [
        (pixels[axis] - 1) * first.stride[axis]
        + first.dilation[axis] * (kernel[axis] - 1)
        + 1
        - size[axis]
        + begins[axis]
        for axis in range(2)
    ]
    steps = [term.step for term in terms if term.step is not None]
    return replace(
        terms[0],
        weights=weights,
        window=replace(first, kernel=(kernel[0], kernel[1]), pads=(-begins[0], -begins[1], ends[0], ends[1])),
        depthwise=True,
        step=np.concatenate(steps) if steps else None,
    )


def _diagonal(term: Term, start: int) -> NDArray[np.float64] | None:
    """Weights (O, 1, kH, kW) of a term whose output o reads channel ``start + o`` alone, or None."""
    if term.depthwise:
        return None  # it reads all channels of its source, of which it is only a part
    count = len(term.weights)
    rows = np.arange(count)
    rest = term.weights.copy()
    rest[rows, start + rows] = 0.0
    return None if rest.any() else term.weights[rows, start + rows][:, np.newaxis]
