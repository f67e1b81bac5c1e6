"""Softmax and LogSoftmax in the middle of a network: maxima, tables of exp and log around sums, and of exp again.

``x - max(x) - log(sum(exp(x - max(x))))`` is LogSoftmax, and its exponential Softmax. Subtracting the maximum that a
sample really has keeps the largest exponential at 1, whatever the sample: tables have 256 levels, in which the
exponentials of a row far below a calibrated bound would vanish. Subtracting the logarithm is a sum in the accumulator,
where dividing by the sum would be a product of tensors and round once more.

A mask that was added (0, and large negative numbers) hides elements: products with zeros and ones leave them out of the
maximum and of the sum, and set them to 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..curves import Function, X
from ..layers import Curve, ElementAffine, Mac, MaxPool, Product, Term, scaled
from ..windows import Window
from .copying import as_image
from .exchange import ones_in_places, picked
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["softmax"]

_HIDDEN = -1e3
"""Summands from there on down are a mask: what they are added to takes no part."""

_LONGEST_POOL = 16
"""Pixels of a window of a max-pool; larger ones are pooled in two steps."""


@dataclass(frozen=True)
class _Groups:
    """A tensor whose channels are in groups: ``channels`` (G, K) of each, at every pixel; ``rows`` (R, K) are the
    elements of the value in these groups, as positions in the tensor."""

    tensor: str
    channels: NDArray[np.int64]
    rows: NDArray[np.int64]

    @staticmethod
    def of(importer: Importer, tensor: str, rows: NDArray[np.int64]) -> _Groups | None:
        """Of rows of positions in a tensor; None if one has elements of several pixels."""
        _, height, width = importer.tensors[tensor]
        channel, pixel = np.divmod(rows, height * width)
        if (pixel != pixel[:, :1]).any():
            return None
        groups = np.unique(np.sort(channel, axis=1), axis=0)
        return _Groups(tensor, groups, rows) if np.unique(groups).size == groups.size else None

    def members(self, channels: int) -> NDArray[np.float64]:
        """Ones where channels are in groups, of shape (G, C, 1, 1)."""
        found = np.zeros((len(self.channels), channels, 1, 1))
        np.put_along_axis(found[:, :, 0, 0], self.channels, 1.0, axis=1)
        return found


def softmax(importer: Importer, node: NodeProto) -> None:
    """Layers of a Softmax or LogSoftmax that others read."""
    attributes = importer.attributes(node)
    if node.op_type == "LogSoftmax":
        view, mask = importer.chw(importer.view(node)), None
    else:
        view, mask = _unmasked(importer, importer.chw(importer.view(node)))
    first = importer.opset < 13
    axis = attributes.get("axis", 1 if first else -1) % len(view.shape)
    if first:  # all axes from there on are one
        rows = view.index.reshape(int(np.prod(view.shape[:axis])), -1)
    else:
        rows = np.moveaxis(view.index, axis, -1).reshape(-1, view.shape[axis])
    groups = _groups(importer, node, view.tensor, rows)
    hidden = None
    if mask is not None:
        hidden = np.zeros(importer.tensors[groups.tensor])
        hidden.ravel()[groups.rows] = mask.ravel()[rows]
    tensor = _layers(importer, node, groups, hidden)
    shape = view.shape if first else np.moveaxis(view.index, axis, -1).shape
    index = groups.rows.reshape(shape)
    importer.views[node.output[0]] = View(tensor, index if first else np.moveaxis(index, -1, axis))


def _unmasked(importer: Importer, view: View) -> tuple[View, NDArray[np.float64] | None]:
    """What a mask was added to, and where that hides elements (C, H, W); the value itself if there is none."""
    made = next((layer for layer in importer.layers if layer.output == view.tensor), None)
    if not isinstance(made, ElementAffine):
        return view, None
    hidden = made.bias <= _HIDDEN
    if not hidden.any() or made.bias[~hidden].any() or (made.scale[~hidden] != 1).any():
        return view, None
    return View(made.source, view.index), hidden.astype(np.float64)


def _groups(importer: Importer, node: NodeProto, tensor: str, rows: NDArray[np.int64]) -> _Groups:
    """The rows as channels of one tensor, copied or exchanged with its pixels if need be."""
    found = _Groups.of(importer, tensor, rows)
    if found is not None:
        return found
    image = as_image(importer, node, View(tensor, rows.T.reshape(1, rows.shape[1], 1, len(rows))), exchange=True)
    if image is None:
        raise importer.unsupported(
            node, f"its axis is neither channels nor pixels of a value of shape {importer.tensors[tensor]}"
        )
    index = np.arange(rows.size).reshape(rows.shape[1], len(rows)).T
    return _Groups(image.tensor, np.arange(rows.shape[1])[np.newaxis], index)


def _layers(importer: Importer, node: NodeProto, groups: _Groups, hidden: NDArray[np.float64] | None) -> str:
    shape = importer.tensors[groups.tensor]
    members, one = groups.members(shape[0]), Window(kernel=(1, 1))

    def to_all(source: str, sign: int) -> Term:
        weights = sign * members.swapaxes(0, 1)
        return Term(source=source, weights=weights, window=one, step=np.ones(shape[0]))

    exponential = Function("exp", (X,))
    seen = groups.tensor
    if hidden is not None:  # from 0 on, so that hidden elements become the least ones where they are 0
        exponential = Function("exp", (Function("clip", (X, -np.inf, 0.0)),))
        negative = _mac(importer, node, "negative", (scaled(groups.tensor, np.full(shape[0], -1.0)),), shape)
        least = _maxima(importer, node, replace(groups, tensor=negative))
        terms = scaled(groups.tensor, np.ones(shape[0])), to_all(least, 1)
        groups = replace(groups, tensor=_mac(importer, node, "positive", terms, shape))
        seen = _shown(importer, node, "seen", groups.tensor, hidden)
    largest = _maxima(importer, node, replace(groups, tensor=seen))
    away = [scaled(groups.tensor, np.ones(shape[0])), to_all(largest, -1)]
    raised = _mac(importer, node, "difference", tuple(away), shape)
    raised = _curve(importer, node, "exponentials", exponential, raised)
    if hidden is not None:
        raised = _shown(importer, node, "exponentials/shown", raised, hidden)
    size = (len(groups.channels), *shape[1:])
    summed = Term(source=raised, weights=members, window=one, step=np.ones(size[0]))
    total = _mac(importer, node, "sum", (summed,), size)
    total = _curve(importer, node, "logarithm", Function("log", (X,)), total)
    away.append(to_all(total, -1))
    if node.op_type == "LogSoftmax":
        return _mac(importer, node, "", tuple(away), shape)
    odds = _mac(importer, node, "logarithms", tuple(away), shape)
    odds = _curve(importer, node, "odds" if hidden is not None else "", exponential, odds)
    return odds if hidden is None else _shown(importer, node, "", odds, hidden)


def _shown(importer: Importer, node: NodeProto, what: str, source: str, hidden: NDArray[np.float64]) -> str:
    """The source with 0 in place of hidden elements: a product with zeros and ones."""
    name = importer.unique(f"{importer.label(node)}/{what or 'shown'}")
    output = f"{node.output[0]}/{what}" if what else node.output[0]
    first = ones_in_places(importer, node, source, 1.0 - hidden)
    importer.layers.append(Product(name=name, first=first, second=source, copies=True, output=output))
    importer.tensors[output] = importer.tensors[source]
    return output


def _maxima(importer: Importer, node: NodeProto, groups: _Groups) -> str:
    """A tensor of the largest channel of each group, at every pixel: channels become pixels, which are pooled."""
    size, (count, length) = importer.tensors[groups.tensor], groups.channels.shape
    too_many = importer.unsupported(
        node,
        f"its largest of {length} elements is looked for at {size[1] * size[2]} pixels, too many to exchange with "
        f"{count * length} channels: use fewer tokens or heads",
    )
    turned = picked(importer, node, groups.tensor, groups.channels)
    if turned is None:
        raise too_many
    tensor, pixels = turned.tensor, size[1] * size[2]
    while length > 1:
        window = min(length, _LONGEST_POOL)
        parts = -(-length // window)
        pads = (0, 0, 0, parts * window - length)
        name = importer.unique(f"{importer.label(node)}/largest")
        output = importer.unique(f"{node.output[0]}/largest")
        pool = Window(kernel=(1, window), stride=(1, window), pads=pads)
        importer.layers.append(MaxPool(name=name, source=tensor, window=pool, output=output))
        importer.tensors[output] = (pixels, count, parts)
        tensor, length = output, parts
    back = picked(importer, node, tensor, np.arange(pixels).reshape(size[1:]))
    if back is None:
        raise too_many
    return back.tensor


def _mac(importer: Importer, node: NodeProto, what: str, terms: tuple[Term, ...], shape: tuple[int, int, int]) -> str:
    name = importer.unique(f"{importer.label(node)}/{what}" if what else importer.label(node))
    output = f"{node.output[0]}/{what}" if what else node.output[0]
    importer.layers.append(Mac(name=name, terms=terms, bias=np.zeros(shape[0]), output=output))
    importer.tensors[output] = shape
    return output


def _curve(importer: Importer, node: NodeProto, what: str, function: Function, source: str) -> str:
    name = importer.unique(f"{importer.label(node)}/{what}" if what else importer.label(node))
    output = f"{node.output[0]}/{what}" if what else node.output[0]
    importer.layers.append(Curve(name=name, source=source, function=function, output=output))
    importer.tensors[output] = importer.tensors[source]
    return output
