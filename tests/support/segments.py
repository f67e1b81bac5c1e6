"""Segments at random: weights, windows, and levels of their sources."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

__all__ = ["Window", "convolutions"]


@dataclass
class Window:
    """A segment, all of it but the weights as it is mostly."""

    weights: np.ndarray
    depthwise: bool = False
    stride: tuple = (1, 1)
    pads: tuple = (0, 0, 0, 0)
    dilation: tuple = (1, 1)
    inset: tuple = (0, 0, 0, 0)


@st.composite
def convolutions(draw):
    """Levels (N, C, H, W), their zero level, and a segment that reads them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    pads = tuple(draw(st.integers(-2, 2)) for _ in range(4))
    inset = tuple(draw(st.sampled_from((0, 0, 1, 3))) for _ in range(4))
    crops = [-min(0, pads[i]) - min(0, pads[i + 2]) for i in range(2)]
    size = [draw(st.integers(dilation[i] * (kernel[i] - 1) + 1 + crops[i], 9)) for i in range(2)]
    depthwise = draw(st.booleans())
    channels, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = (channels, 1, *kernel) if depthwise else (outputs, channels, *kernel)
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    window = Window(rng.integers(-16, 17, shape), depthwise, stride, pads, dilation, inset)
    return rng.integers(-16, 17, (draw(st.integers(1, 3)), channels, *size)), draw(st.integers(-4, 4)), window
