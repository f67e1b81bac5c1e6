"""Conv and ConvTranspose with constant weights."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..errors import ModelError
from ..layers import Mac, Term
from ..windows import Window
from .copying import phases_operand
from .phases import Enlarged, Phases, interleaved, over_phases
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["conv", "conv_transpose", "emit", "step_of", "window_of"]


def window_of(importer: Importer, node: NodeProto, kernel: tuple[int, ...], size: tuple[int, int]) -> Window:
    """Geometry from the attributes of a Conv or pool of one or two axes; ``size`` is the input's height and width."""
    attributes = importer.attributes(node)
    if len(kernel) not in (1, 2):
        raise importer.unsupported(node, f"its kernel has {len(kernel)} axes: only 1- and 2-dimensional ones run")
    stride, dilation = (tuple(attributes.get(name, (1,) * len(kernel))) for name in ("strides", "dilations"))
    pads = tuple(attributes.get("pads", (0, 0) * len(kernel)))
    if len(kernel) == 1:
        pads = (pads[0], 0, pads[1], 0)
        kernel, stride, dilation = (*kernel, 1), (*stride, 1), (*dilation, 1)
        if importer.lies_across(node):
            kernel, stride, dilation, pads = kernel[::-1], stride[::-1], dilation[::-1], (0, pads[0], 0, pads[2])
    mode = attributes.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
            for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
        ]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = (*small, *large) if mode == "SAME_UPPER" else (*large, *small)
    elif mode == "VALID":
        pads = (0, 0, 0, 0)
    if min(pads) < 0:
        raise importer.unsupported(node, "negative pads crop: crop on the host")
    window = Window(
        kernel=(int(kernel[0]), int(kernel[1])),
        stride=(stride[0], stride[1]),
        pads=(pads[0], pads[1], pads[2], pads[3]),
        dilation=(dilation[0], dilation[1]),
    )
    if min(window.output(*size)) < 1:
        raise ModelError(
            f"node {importer.label(node)!r} has a window of {kernel}, larger than its input of {size}: export it again"
        )
    return window


def _weights(importer: Importer, node: NodeProto) -> NDArray[np.float64]:
    weights = importer.constant(node, 1)
    if weights is None:
        raise importer.unsupported(node, "its weights must be constant")
    return weights.astype(np.float64)


_WIDEST = 1023
"""Largest weight in common steps of several scales: 11 bits, beyond which sums outgrow what small cores hold."""

_PARTS = 64
"""Into so many parts at most the smallest of several scales is divided for a common step."""

_WHOLE = 1e-6
"""How far from a whole number a ratio of scales may be, relative to it."""


def step_of(importer: Importer, node: NodeProto, axis: int, *, position: int = 1) -> NDArray[np.float64] | None:
    """Step of each output channel, which lie along ``axis`` of the weights, if the weights have them.

    A channel whose weights have several scales (along a summed axis) has a step if these are small multiples of one.
    """
    steps = importer.steps.get(node.input[position])
    if steps is None:
        return None
    rows, weights = (
        np.moveaxis(values, axis, 0).reshape(steps.shape[axis], -1)
        for values in (steps, importer.constants[node.input[position]])
    )
    if (rows == rows[:, :1]).all():
        return rows[:, 0]
    found = [_common_step(row, float(np.abs(own).max())) for row, own in zip(rows, weights, strict=True)]
    return None if None in found else np.array(found, dtype=np.float64)


def _common_step(steps: NDArray[np.float64], largest: float) -> float | None:
    """What all steps are small multiples of, with weights of at most ``largest``."""
    smallest = float(steps.min())
    for parts in range(1, _PARTS + 1):
        if largest * parts > _WIDEST * smallest:
            return None
        multiples = steps * (parts / smallest)
        if (np.abs(multiples - np.rint(multiples)) <= _WHOLE * multiples).all():
            return smallest / parts
    return None


def conv(importer: Importer, node: NodeProto) -> None:
    """Handler of Conv: dense, depthwise, or grouped (made dense with zeros)."""
    weights = _weights(importer, node)
    source, image = phases_operand(importer, node)
    channels, height, width = image.shape
    groups = importer.attributes(node).get("group", 1)
    outputs, inputs = weights.shape[:2]
    if inputs * groups != channels or outputs % groups:
        raise ModelError(
            f"node {importer.label(node)!r} has weights of shape {weights.shape} in {groups} groups, "
            f"but its input has {channels} channels: export it again"
        )
    window = window_of(importer, node, weights.shape[2:], (height, width))
    weights = weights.reshape(*weights.shape[:2], *window.kernel)
    depthwise = groups == channels == outputs and channels > 1 and image.keeps_channels()
    if groups > 1 and not depthwise:
        weights = _ungrouped(weights, groups)
    view = _convolve(
        importer,
        node,
        image,
        Term(
            source=source,
            weights=weights,
            window=window,
            depthwise=depthwise,
            step=step_of(importer, node, 0),
        ),
        _bias(importer, node, outputs),
    )
    importer.views[node.output[0]] = importer.shown_like(node, view)


def _ungrouped(weights: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """Weights (O, I / groups, kH, kW) as dense ones (O, I, kH, kW), zeros between groups."""
    outputs, inputs = weights.shape[:2]
    dense = np.zeros((outputs, inputs * groups, *weights.shape[2:]))
    for group in range(groups):
        rows = slice(group * outputs // groups, (group + 1) * outputs // groups)
        dense[rows, group * inputs : (group + 1) * inputs] = weights[rows]
    return dense


def _bias(importer: Importer, node: NodeProto, outputs: int) -> NDArray[np.float64]:
    """The third operand, one value for each output channel; zeros where there is none."""
    bias = importer.constant(node, 2)
    if bias is None:
        if len(node.input) > 2 and node.input[2]:
            raise importer.unsupported(node, "its bias must be constant")
        return np.zeros(outputs)
    if bias.shape != (outputs,):
        label = importer.label(node)
        raise ModelError(f"node {label!r} has a bias of shape {bias.shape} for {outputs} channels: export it again")
    return bias.astype(np.float64)


def _convolve(importer: Importer, node: NodeProto, image: Phases, term: Term, bias: NDArray[np.float64]) -> View:
    """Adds a convolution over an image, which may lie in phases; so does its output then."""
    outputs = len(term.weights)
    height, width = term.window.output(*image.shape[1:])
    if image.is_plain():
        return emit(importer, node, (term,), bias, (outputs, height, width))
    parts, ways = over_phases(term.weights, term.window, image)
    repeats = ways[0] * ways[1]
    step = None if term.step is None else np.repeat(term.step, repeats)
    shape = (outputs * repeats, -(-height // ways[0]), -(-width // ways[1]))
    index = interleaved(np.arange(math.prod(shape)).reshape(1, *shape), ways)[:, :, :height, :width]
    terms = tuple(replace(term, weights=part.weights, window=part.window, step=step) for part in parts)
    return emit(importer, node, terms, np.repeat(bias, repeats), shape, index)


def conv_transpose(importer: Importer, node: NodeProto) -> None:
    """Handler of ConvTranspose: a convolution with one output channel for each phase of the enlarged image.

    Output line ``u = stride * i - pad + dilation * j`` takes tap j of input line i; so in phase v = u modulo stride it
    is a convolution of stride 1 whose tap j reads line ``(v + pad - dilation * j) / stride`` from its own.
    """
    weights = _weights(importer, node)
    source, image = phases_operand(importer, node)
    attributes = importer.attributes(node)
    groups = attributes.get("group", 1)
    if weights.shape[0] != image.shape[0] or weights.shape[0] % groups:
        raise ModelError(
            f"node {importer.label(node)!r} has weights of shape {weights.shape} in {groups} groups, "
            f"but its input has {image.shape[0]} channels: export it again"
        )
    step = step_of(importer, node, 1)
    across = importer.lies_across(node)
    if weights.ndim == 3:
        weights = np.expand_dims(weights, 2 if across else 3)
    # (I, O / groups, kH, kW) to dense (O, I, kH, kW)
    parts = np.split(weights, groups)
    weights = _ungrouped(np.concatenate([part.transpose(1, 0, 2, 3) for part in parts]), groups)
    axes = _enlarged(importer, node, (weights.shape[2], weights.shape[3]), (image.shape[1], image.shape[2]))
    ways = axes[0].stride, axes[1].stride
    inner = np.zeros((len(weights), *ways, image.shape[0], axes[0].size, axes[1].size))
    for v, j, line in axes[0].taps:
        for h, i, column in axes[1].taps:
            inner[:, v, h, :, line, column] = weights[:, :, j, i]
    repeats = ways[0] * ways[1]
    bias = _bias(importer, node, len(weights))
    window = Window(
        kernel=(axes[0].size, axes[1].size),
        pads=(axes[0].before, axes[1].before, axes[0].behind, axes[1].behind),
    )
    term = Term(
        source=source,
        weights=inner.reshape(-1, *inner.shape[3:]),
        window=window,
        step=None if step is None else np.repeat(np.tile(step, groups), repeats),
    )
    view = _convolve(importer, node, image, term, np.repeat(bias, repeats))
    index = interleaved(view.index, ways)[:, :, : axes[0].outputs, : axes[1].outputs]
    importer.views[node.output[0]] = importer.shown_like(node, View(view.tensor, index))


def _enlarged(
    importer: Importer, node: NodeProto, kernel: tuple[int, int], size: tuple[int, int]
) -> tuple[Enlarged, Enlarged]:
    """Geometry of a ConvTranspose from its attributes."""
    attributes, mode = importer.attributes(node), importer.attributes(node).get("auto_pad", "NOTSET")

    def pair(name: str, missing: int) -> tuple[int, int]:
        given = list(attributes.get(name, ()))[-2:]  # the first output_shape named batch and channels, too
        if len(importer.view(node).shape) == 3 and given:
            given = [missing, given[-1]] if importer.lies_across(node) else [given[-1], missing]
        return (given[0], given[1]) if given else (missing, missing)

    strides, dilations, extra = pair("strides", 1), pair("dilations", 1), pair("output_padding", 0)
    pads, wanted = attributes.get("pads", ()), pair("output_shape", 1) if "output_shape" in attributes else None
    if len(pads) == 2:
        pads = (0, pads[0], 0, pads[1]) if importer.lies_across(node) else (pads[0], 0, pads[1], 0)
    axes = []
    for axis in (0, 1):
        begin, end = (pads[axis + 2 * side] if pads else 0 for side in (0, 1))
        reach = dilations[axis] * (kernel[axis] - 1) + 1 + extra[axis]
        if wanted is not None:
            total = max(0, strides[axis] * (size[axis] - 1) + reach - wanted[axis])
            small, large = total // 2, total - total // 2
            begin, end = (small, large) if mode == "SAME_UPPER" else (large, small)
        elif mode in ("SAME_UPPER", "SAME_LOWER"):
            total = max(0, reach - strides[axis])
            begin, end = (total // 2, total - total // 2)[:: 1 if mode == "SAME_UPPER" else -1]
        elif mode == "VALID":
            begin = end = 0
        geometry = {"kernel": kernel[axis], "stride": strides[axis], "dilation": dilations[axis]}
        axes.append(Enlarged.of(size[axis], **geometry, pads=(begin, end), extra=extra[axis]))
        if wanted is not None and axes[-1].outputs != wanted[axis]:
            raise importer.unsupported(node, f"no padding gives its output_shape {wanted}: give pads instead")
    return axes[0], axes[1]


def emit(
    importer: Importer,
    node: NodeProto,
    terms: tuple[Term, ...],
    bias: NDArray[np.float64],
    shape: tuple[int, int, int],
    index: NDArray[np.int64] | None = None,
) -> View:
    """Adds a layer of weights, named by them where they have a name; ``index`` is the view of its output."""
    weights = next((name for name in (*node.input[1:2], node.input[0]) if name in importer.constants), "")
    name = importer.unique(weights.removesuffix(".weight") if weights.endswith(".weight") else importer.label(node))
    importer.emit(node, Mac(name=name, terms=terms, bias=bias, output=node.output[0]), shape, index)
    return importer.views[node.output[0]]
