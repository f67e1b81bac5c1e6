"""Tensors that hold constants: layers of the float graph that make them, whatever the sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .layers import Mac, Term
from .windows import Shape, Window

__all__ = ["constant_layers"]


def constant_layers(
    source: str, shape: Shape, values: NDArray[np.float64], *, name: str, output: str, copies: bool = False
) -> tuple[Mac, Mac]:
    """A layer that holds a single 1, and one of which every pixel sees it by another tap.

    Parameters
    ----------
    source, shape : str, (C, H, W)
        A tensor that is there already: the layer that holds the 1 reads it with weights of 0.
    values : array of float, shape (C, H, W)
        What ``output`` holds.
    name, output : str
        Of the second layer; the first one's end in ``/one``.
    copies : bool
        Whether the values are 0 and 1.
    """
    height, width = values.shape[1:]
    corner = Window(kernel=(1, 1), pads=(0, 0, 1 - shape[1], 1 - shape[2]))
    nothing = Term(source=source, weights=np.zeros((1, shape[0], 1, 1)), window=corner, step=np.ones(1))
    around = Window(kernel=(height, width), pads=(height - 1, width - 1, height - 1, width - 1))
    weights = values[:, np.newaxis, ::-1, ::-1]
    one, step = f"{output}/one", np.ones(len(values)) if copies else None
    return (
        Mac(name=f"{name}/one", terms=(nothing,), bias=np.ones(1), output=one),
        Mac(
            name=name,
            terms=(Term(source=one, weights=weights, window=around, step=step),),
            bias=np.zeros(len(values)),
            output=output,
            copies=copies,
        ),
    )
