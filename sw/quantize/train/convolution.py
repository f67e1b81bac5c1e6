"""Terms of layers and max-pools on tensors, with the padding that a window says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from ...graph import Term, Window

__all__ = ["convolve", "max_pool", "sound_convolutions"]


@contextlib.contextmanager
def sound_convolutions() -> Iterator[None]:
    """Within it gradients of convolutions are computed without oneDNN where a CPU has AVX2 at most: some of its kernels
    write beyond their memory there (torch 2.14), and the process dies."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = bool(before) and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


def _padded(x: Tensor, window: Window, fill: float) -> Tensor:
    top, left, bottom, right = window.pads
    return functional.pad(x, (left, right, top, bottom), value=fill) if any(window.pads) else x


def convolve(x: Tensor, weights: Tensor, term: Term) -> Tensor:
    """Sums of products of a term's windows over ``x`` (N, C, H, W) with ``weights``, in the type of ``x``."""
    window, weights = term.window, weights.to(x.dtype)
    plain = window.kernel == (1, 1) and window.stride == (1, 1) and not any(window.pads)
    if term.depthwise and plain and not any(window.inset):
        return x * weights.reshape(1, -1, 1, 1)
    top, left, bottom, right = window.pads
    even = (top, left) == (bottom, right) and min(top, left) >= 0
    padding = (top, left) if even else (0, 0)
    groups = len(weights) if term.depthwise else 1
    source = x if even else _padded(x, window, 0.0)
    sums = functional.conv2d(source, weights, None, window.stride, padding, window.dilation, groups)
    if not any(window.inset):
        return sums
    return sums * torch.from_numpy(window.inside(*sums.shape[2:])).to(sums.device, sums.dtype)


def max_pool(x: Tensor, window: Window) -> Tensor:
    """Maximum over windows of ``x`` (N, C, H, W); padding takes no part."""
    return functional.max_pool2d(_padded(x, window, -torch.inf), window.kernel, window.stride, dilation=window.dilation)
