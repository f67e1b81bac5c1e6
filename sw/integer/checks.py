"""need, need_window: what must hold of a layer that is read from a file."""

from __future__ import annotations

from .reader import Reader
from .tensor import QuantisedTensor

__all__ = ["MOST_ELEMENTS", "need", "need_window"]

MOST_ELEMENTS = 1 << 28
"""Elements of a tensor: more than a backing store holds."""


def need(holds: bool, what: str) -> None:
    """ValueError that says ``what`` is wrong unless something ``holds``."""
    if not holds:
        raise ValueError(what)


def need_window(source: QuantisedTensor, output: QuantisedTensor, reader: Reader, where: str) -> None:
    """See that a reader's windows on a source are as many as the pixels of an output."""
    kernel, stride, pads, dilation = reader.kernel, reader.stride, reader.pads, reader.dilation
    positive = min(*kernel, *stride, *dilation) >= 1
    need(positive, f"{where} has a window of kernel {kernel}, stride {stride}, dilation {dilation}")
    need(max(map(abs, pads)) < MOST_ELEMENTS, f"{where} has the pads {pads}")
    for axis in (0, 1):
        room = source.shape[1 + axis] + pads[axis] + pads[2 + axis] - dilation[axis] * (kernel[axis] - 1) - 1
        found = room // stride[axis] + 1
        need(room >= 0 and found == output.shape[1 + axis], f"{where} does not give the shape {output.shape}")
