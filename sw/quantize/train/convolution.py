"""Terms of layers and max-pools on tensors, with the padding that a window says."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ...enlarging import Factors
from ...layers import Term
from ...windows import Window

__all__ = ["Convolution", "convolve", "enlarged", "max_pool"]


_PATCHES = 1 << 20
"""Values of unfolded windows at once: what caches hold."""


def _sound() -> bool:
    """Whether torch's own gradients of convolutions may be trusted: some of oneDNN's kernels write beyond their memory
    where a CPU has AVX2 at most (torch 2.14), and the process dies; torch without oneDNN takes two to three times as
    long."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


class _Steps(NamedTuple):
    """How windows lie: arguments of `conv2d`."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


class Convolution(torch.autograd.Function):
    """`conv2d` without bias, whose gradients are forward convolutions and matrix products.

    ``groups`` are 1, or the channels of inputs and outputs.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weights: Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
    ) -> Tensor:
        """Sums of products, (N, O, H, W)."""
        ctx.save_for_backward(x, weights)
        ctx.how = _Steps(stride, padding, dilation, groups)
        return functional.conv2d(x, weights, None, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of both operands, where they are needed."""
        (x, weights), how = ctx.saved_tensors, ctx.how
        to_x = _to_inputs(grads[0], weights, (x.shape[2], x.shape[3]), how) if ctx.needs_input_grad[0] else None
        to_weights = _to_weights(grads[0], x, weights, how) if ctx.needs_input_grad[1] else None
        return to_x, to_weights, None, None, None, None


def _to_inputs(gradient: Tensor, weights: Tensor, size: tuple[int, int], how: _Steps) -> Tensor:
    """Each input's gradient: windows of the outputs' gradients, spread by the strides, with kernels turned round."""
    stride, padding, dilation, groups = how
    turned = weights.flip(2, 3) if groups > 1 else weights.flip(2, 3).transpose(0, 1)
    reach = [step * (kernel - 1) for step, kernel in zip(dilation, weights.shape[2:], strict=True)]
    before = [r - p for r, p in zip(reach, padding, strict=True)]
    if stride != (1, 1):
        spread = [(count - 1) * step + 1 for count, step in zip(gradient.shape[2:], stride, strict=True)]
        wide = gradient.new_zeros(*gradient.shape[:2], *spread).contiguous(memory_format=torch.channels_last)
        wide[:, :, :: stride[0], :: stride[1]] = gradient
        gradient = wide
    after = [s + r - count - b for s, r, count, b in zip(size, reach, gradient.shape[2:], before, strict=True)]
    even = before == after and min(before) >= 0
    if not even:
        gradient = functional.pad(gradient, (before[1], after[1], before[0], after[0]))
    return functional.conv2d(gradient, turned, None, 1, before if even else 0, dilation, groups)


def _to_weights(gradient: Tensor, x: Tensor, weights: Tensor, how: _Steps) -> Tensor:
    """Each weight's gradient: products of the outputs' gradients with the inputs that it has met, summed."""
    stride, padding, dilation, groups = how
    rows, columns = weights.shape[2:]
    height, width = gradient.shape[2:]
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    total = torch.zeros(len(weights), rows, columns, weights.shape[1], dtype=kind)
    patch = height * width * (1 if groups > 1 else total[0].numel())
    at_once = max(1, _PATCHES // patch)
    for part, wanted in zip(x.split(at_once), gradient.split(at_once), strict=True):
        padded = functional.pad(part, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1).contiguous()
        steps = padded.stride()
        seen = padded.as_strided(
            (len(part), height, width, rows, columns, padded.shape[3]),
            (steps[0], steps[1] * stride[0], steps[2] * stride[1], steps[1] * dilation[0], steps[2] * dilation[1], 1),
        )
        last = wanted.permute(0, 2, 3, 1)
        if groups > 1:
            for row, column in itertools.product(range(rows), range(columns)):
                total[:, row, column, 0] += (seen[:, :, :, row, column] * last).sum((0, 1, 2), dtype=kind)
        else:
            flat = seen.reshape(-1, total[0].numel())
            total += (last.reshape(len(flat), -1).T @ flat).to(kind).reshape(total.shape)
    return total.permute(0, 3, 1, 2).to(weights.dtype)


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
    if torch.is_grad_enabled() and not _sound():
        sums: Tensor = Convolution.apply(source, weights, window.stride, padding, window.dilation, groups)
    else:
        sums = functional.conv2d(source, weights, None, window.stride, padding, window.dilation, groups)
    if not any(window.inset):
        return sums
    return sums * torch.from_numpy(window.inside(*sums.shape[2:])).to(sums.device, sums.dtype)


def max_pool(x: Tensor, window: Window) -> Tensor:
    """Maximum over windows of ``x`` (N, C, H, W); padding takes no part."""
    return functional.max_pool2d(_padded(x, window, -torch.inf), window.kernel, window.stride, dilation=window.dilation)


def enlarged(values: Tensor, factors: Factors) -> Tensor:
    """As `enlarging.enlarged`: (N, f*g*C, H, W) to (N, C, f*H, g*W)."""
    f, g = factors
    count, channels, height, width = values.shape
    split = values.reshape(count, f, g, channels // (f * g), height, width)
    return split.permute(0, 3, 4, 1, 5, 2).reshape(count, channels // (f * g), f * height, g * width)
