"""Exchange of channels with pixels: a product of the tensor with ones in places, exact on its levels."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from ..constants import constant_layers
from ..layers import Mac, Product, Term
from ..windows import Window
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["exchanged", "ones_in_places", "picked"]

_MOST_PLACES = 1 << 18
"""Elements of a tensor of ones in places."""


def exchanged(importer: Importer, node: NodeProto, view: View) -> View | None:
    """A value (1, C, H, W) whose channels are pixels of its tensor, and whose pixels are channels of it, or None.

    The tensor's pixels become channels of a new one, in line order; the value is shown as channels of that.
    """
    if len(view.shape) != 4 or view.shape[0] != 1:
        return None
    size = importer.tensors[view.tensor]
    channel, pixel = np.divmod(view.index[0], size[1] * size[2])
    if (channel != channel[:1]).any() or (pixel != pixel[:, :1, :1]).any():
        return None
    made = picked(importer, node, view.tensor, channel[0])
    return None if made is None else View(made.tensor, made.index[:, pixel[:, 0, 0]])


def picked(importer: Importer, node: NodeProto, tensor: str, channels: NDArray[np.int64]) -> View | None:
    """Pixels (H, W) that are channels of a tensor, in as many channels as it has pixels; None if that is too large.

    Parameters
    ----------
    tensor : str
    channels : array of int, shape (H, W)
        Which channel of the tensor each pixel is.

    Returns
    -------
    View
        Of shape (1, pixels of the tensor, H, W): the whole of a new tensor.
    """
    used = np.unique(channels)
    if used.size < importer.tensors[tensor][0]:
        tensor, channels = _some(importer, node, tensor, used), np.searchsorted(used, channels)
    source, (height, width) = importer.tensors[tensor], channels.shape
    if source[0] * channels.size > _MOST_PLACES:
        return None
    key = (tensor, ("exchange", *channels.shape), hashlib.blake2b(channels.tobytes()).digest())
    if key not in importer.copies:
        importer.copies[key] = _made(importer, node, tensor, channels, (source[1] * source[2], height, width))
    return importer.copies[key]


def _made(
    importer: Importer, node: NodeProto, tensor: str, channels: NDArray[np.int64], shape: tuple[int, int, int]
) -> View:
    places = np.zeros((importer.tensors[tensor][0], *channels.shape))
    np.put_along_axis(places, channels[np.newaxis], 1.0, axis=0)
    first = ones_in_places(importer, node, tensor, places)
    name = importer.unique(f"{importer.label(node)}/exchange")
    output = importer.unique(f"{node.output[0]}/exchange")
    importer.layers.append(Product(name=name, first=first, second=tensor, matrix=True, copies=True, output=output))
    importer.tensors[output] = shape
    return View(output, np.arange(int(np.prod(shape))).reshape(1, *shape))


def _some(importer: Importer, node: NodeProto, tensor: str, channels: NDArray[np.int64]) -> str:
    """A copy of some of a tensor's channels."""
    source = importer.tensors[tensor]
    key = (tensor, (1, len(channels), *source[1:]), hashlib.blake2b(channels.tobytes()).digest())
    if (known := importer.copies.get(key)) is not None:
        return known.tensor
    name = importer.unique(f"{importer.label(node)}/some")
    output = importer.unique(f"{node.output[0]}/some")
    weights = np.eye(source[0])[channels, :, np.newaxis, np.newaxis]
    term = Term(source=tensor, weights=weights, window=Window(kernel=(1, 1)), step=np.ones(len(channels)))
    bias = np.zeros(len(channels))
    importer.layers.append(Mac(name=name, terms=(term,), bias=bias, output=output, copies=True))
    importer.tensors[output] = (len(channels), *source[1:])
    importer.copies[key] = View(output, np.arange(len(channels) * source[1] * source[2]))
    return output


def ones_in_places(importer: Importer, node: NodeProto, tensor: str, places: NDArray[np.float64]) -> str:
    """A tensor of zeros and ones (C, H, W), one for all that are alike; ``tensor`` is one that is there before."""
    key = ("", ("places", *places.shape), hashlib.blake2b(places.tobytes()).digest())
    known = importer.copies.get(key)
    if known is not None:
        return known.tensor
    output = importer.unique(f"{node.output[0]}/places")
    name = importer.unique(f"{importer.label(node)}/places")
    made = constant_layers(tensor, importer.tensors[tensor], places, name=name, output=output, copies=True)
    importer.layers.extend(made)
    importer.tensors |= {made[0].output: (1, 1, 1), output: places.shape}
    importer.copies[key] = View(output, np.arange(places.size).reshape(1, *places.shape))
    return output
