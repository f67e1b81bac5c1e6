"""Windows over enlarged images: what they give on the small tensor is what they give on the image itself."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from narrows.sw.frontend.phases import Enlarged, Phases, interleaved, over_phases, phases_of
from narrows.sw.frontend.view import View
from narrows.sw.graph import Term, Window
from narrows.sw.quantize.evaluate import convolve

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


def image_of(tensor, phases):
    """Pixels (1, C, H, W) of an image that lies in a tensor (1, channels, lines, columns)."""
    _, height, width = phases.shape
    y, x = np.ogrid[:height, :width]
    channel = phases.channels[:, y % phases.factor, x % phases.factor]
    return tensor[0][channel, y // phases.factor, x // phases.factor][np.newaxis]


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    factor=st.integers(1, 3),
    kernel=PAIR,
    stride=PAIR,
    dilation=PAIR,
    pads=st.tuples(*[st.integers(0, 4)] * 4),
    nearest=st.booleans(),
)
def test_windows_over_enlarged_images(seed, factor, kernel, stride, dilation, pads, nearest):
    rng = np.random.default_rng(seed)
    channels, lines, columns = (int(n) for n in rng.integers(1, 5, 3))
    size = (channels, factor * lines, factor * columns)
    if nearest:
        source = channels + int(rng.integers(0, 3))
        places = np.broadcast_to(rng.integers(0, source, (channels, 1, 1)), (channels, factor, factor))
    else:
        source = channels * factor**2
        places = rng.permutation(source).reshape(channels, factor, factor)
    image = Phases(size, (source, lines, columns), places)
    window = Window(kernel=kernel, stride=stride, dilation=dilation, pads=pads)
    height, width = window.output(*size[1:])
    assume(height >= 1 and width >= 1)
    weights, tensor = rng.normal(size=(2, channels, *kernel)), rng.normal(size=(1, source, lines, columns))
    plain = Term(source="x", weights=weights, window=window)
    expected = convolve(image_of(tensor, image), plain, weights)

    inner, small, ways = over_phases(weights, window, image)
    found = convolve(tensor, Term(source="x", weights=inner, window=small), inner)
    index = interleaved(np.arange(found.size).reshape(1, *found.shape[1:]), ways)[:, :, :height, :width]
    np.testing.assert_allclose(found.ravel()[index], expected, atol=1e-9, err_msg=f"seed {seed}")


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
    assert found is not None and (found.shape, found.factor) == ((2, 6, 4), 2)
    assert found.channels.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert not found.is_plain()


@pytest.mark.parametrize(
    "index",
    [
        np.arange(24).reshape(1, 2, 3, 4).transpose(0, 1, 3, 2),
        np.arange(24).reshape(1, 2, 3, 4)[:, :, 1:],
        np.arange(24).reshape(1, 2, 12, 1),
        np.arange(24).reshape(1, 24),
    ],
)
def test_other_arrangements_are_none(index):
    assert phases_of(View("t", index), (2, 3, 4)) is None
