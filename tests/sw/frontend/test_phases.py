"""Windows over enlarged images: what they give on the small tensor is what they give on the image itself."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from narrows.sw.frontend.phases import Enlarged, Phases, interleaved, over_phases, phases_of
from narrows.sw.frontend.view import View
from narrows.sw.layers import Term
from narrows.sw.quantize.evaluate import convolve
from narrows.sw.windows import Window

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


def image_of(tensor, phases):
    """Pixels (1, C, H, W) of an image that lies in a tensor (1, channels, lines, columns)."""
    _, height, width = phases.shape
    (f, g), y, x = phases.factors, *np.ogrid[:height, :width]
    line = phases.steps[0] * (y // f) + phases.lines[:, y[:, 0] % f][:, :, np.newaxis]
    column = phases.steps[1] * (x // g) + phases.columns[:, x[0] % g][:, np.newaxis]
    return tensor[0][phases.channels[:, y % f, x % g], line, column][np.newaxis]


@st.composite
def images(draw):
    """Images in phases, cropped, with lines left out, with places of their own in each channel."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    channels, f, g = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    source = draw(st.integers(1, 4)) if draw(st.booleans()) else channels * f * g
    steps = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    lines, columns = rng.integers(0, 3, (channels, f)), rng.integers(0, 3, (channels, g))
    y, x = np.arange(size[0]), np.arange(size[1])
    beyond = [int(n) for n in rng.integers(0, 4, 2)]
    height = 1 + beyond[0] + int((steps[0] * (y // f) + lines[:, y % f]).max())
    width = 1 + beyond[1] + int((steps[1] * (x // g) + columns[:, x % g]).max())
    places = rng.integers(0, source, (channels, f, g))
    return Phases((channels, *size), (source, height, width), places, steps, lines, columns)


@settings(deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 10**6),
    image=images(),
    kernel=PAIR,
    stride=PAIR,
    dilation=PAIR,
    pads=st.tuples(*[st.integers(-1, 4)] * 4),
)
def test_windows_over_images_in_phases(seed, image, kernel, stride, dilation, pads):
    rng = np.random.default_rng(seed)
    channels, *size = image.shape
    window = Window(kernel=kernel, stride=stride, dilation=dilation, pads=pads)
    height, width = window.output(*size)
    assume(height >= 1 and width >= 1 and min(size) > max(0, -min(pads)) * 2)
    weights, tensor = rng.normal(size=(2, channels, *kernel)), rng.normal(size=(1, *image.source))
    expected = convolve(image_of(tensor, image), Term(source="x", weights=weights, window=window), weights)

    parts, ways = over_phases(weights, window, image)
    found = sum(convolve(tensor, Term(source="x", weights=p.weights, window=p.window), p.weights) for p in parts)
    index = interleaved(np.arange(found.size).reshape(1, *found.shape[1:]), ways)[:, :, :height, :width]
    np.testing.assert_allclose(found.ravel()[index], expected, atol=1e-9, err_msg=f"seed {seed}")


@settings(deadline=None, max_examples=200)
@given(images())
def test_phases_are_found_in_views(image):
    assume(all(size > factor for size, factor in zip(image.shape[1:], image.factors, strict=True)))
    index = np.arange(np.prod(image.source)).reshape(1, *image.source)
    view = View("x", image_of(index, image))
    found = phases_of(view, image.source)
    assert found is not None
    np.testing.assert_array_equal(image_of(index, found), view.index)


@settings(deadline=None, max_examples=100)
@given(
    size=st.integers(1, 6),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    extra=st.integers(0, 2),
)
def test_transposed_windows_along_a_line(size, kernel, stride, dilation, pads, extra):
    axis = Enlarged.of(size, kernel=kernel, stride=stride, dilation=dilation, pads=pads, extra=extra)
    assume(axis.outputs >= 1)
    x, w = np.arange(1.0, size + 1), 10.0 ** np.arange(kernel)
    expected = np.zeros(axis.outputs)
    for i in range(size):
        for j in range(kernel):
            if 0 <= (u := stride * i - pads[0] + dilation * j) < axis.outputs:
                expected[u] += x[i] * w[j]
    padded = np.pad(x, (axis.before, axis.behind))
    found = np.zeros((len(padded) - axis.size + 1, stride))
    for phase, tap, place in axis.taps:
        found[:, phase] += w[tap] * padded[place : place + len(found)]
    np.testing.assert_allclose(found.ravel()[: axis.outputs], expected)


def test_an_image_is_found_in_its_tensor():
    index = interleaved(np.arange(8 * 3 * 2).reshape(1, 8, 3, 2), (2, 2))
    found = phases_of(View("t", index), (8, 3, 2))
    assert found is not None and (found.shape, found.factors) == ((2, 6, 4), (2, 2))
    assert found.channels.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert not found.is_plain()


@pytest.mark.parametrize(
    "index",
    [
        np.arange(24).reshape(1, 2, 3, 4).transpose(0, 1, 3, 2),
        np.arange(24).reshape(1, 2, 3, 4)[:, :, ::-1],
        np.arange(24).reshape(1, 2, 12, 1),
        np.arange(24).reshape(1, 24),
    ],
)
def test_arrangements_without_constant_steps_are_none(index):
    assert phases_of(View("t", index), (2, 3, 4)) is None
