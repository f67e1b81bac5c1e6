"""`sw/quantize/train/convolution.py`: gradients of windows of all kinds beside torch's own."""

from __future__ import annotations

import pytest
import torch
from narrows.sw.layers import Term
from narrows.sw.quantize.train.convolution import Convolution, convolve
from narrows.sw.windows import Window
from torch.nn import functional

SHAPES = (
    # kernel, stride, padding, dilation, size
    ((3, 3), (1, 1), (1, 1), (1, 1), (9, 7)),
    ((3, 3), (2, 2), (0, 0), (1, 1), (9, 8)),
    ((1, 1), (2, 2), (0, 0), (1, 1), (8, 7)),
    ((5, 1), (1, 2), (3, 0), (1, 1), (6, 9)),
    ((3, 2), (2, 1), (2, 1), (2, 3), (11, 12)),
    ((1, 1), (1, 1), (2, 1), (1, 1), (4, 5)),
)


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation", "size"), SHAPES)
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_gradients_are_those_of_torch(kernel, stride, padding, dilation, size, depthwise, kind):
    generator = torch.Generator().manual_seed(1)
    inputs, outputs, groups = (6, 6, 6) if depthwise else (3, 5, 1)

    def integers(*shape):
        return torch.randint(-8, 9, shape, generator=generator).to(kind)

    x, weights = integers(7, inputs, *size), integers(outputs, inputs // groups, *kernel)
    goal = functional.conv2d(x.double(), weights.double(), None, stride, padding, dilation, groups)
    gradient = integers(*goal.shape)
    found = [part.clone().requires_grad_() for part in (x, weights)]
    expected = [part.double().requires_grad_() for part in (x, weights)]
    functional.conv2d(expected[0], expected[1], None, stride, padding, dilation, groups).backward(gradient.double())

    made = Convolution.apply(*found, stride, padding, dilation, groups)
    made.backward(gradient)

    assert torch.equal(made.double(), goal)  # small integers: exact in either type
    for own, other in zip(found, expected, strict=True):
        assert own.grad.dtype == kind
        assert torch.equal(own.grad.double(), other.grad)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("inset", [(1, 0, 0, 0), (0, 2, 0, 0), (0, 0, 1, 0), (0, 0, 0, 3), (1, 1, 1, 1)])
def test_pixels_outside_the_inset_see_only_padding(inset: tuple[int, int, int, int], depthwise: bool) -> None:
    weights = torch.full((2, 1 if depthwise else 2, 1, 1), 3.0)
    window = Window(kernel=(1, 1), inset=inset)
    term = Term(source="x", weights=weights.numpy(), window=window, depthwise=depthwise)
    expected = torch.zeros(1, 2, 5, 6)
    top, left, bottom, right = inset
    expected[:, :, top : 5 - bottom, left : 6 - right] = 3.0 if depthwise else 6.0
    assert torch.equal(convolve(torch.ones(1, 2, 5, 6), weights, term), expected)
