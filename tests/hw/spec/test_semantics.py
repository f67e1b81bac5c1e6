"""Operator semantics against loops over their definitions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrows.hw.spec.certificate import product_sum_bounds
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.semantics import accumulate, accumulate_products, max_pool, output_size, rescale
from segments import Window, convolutions


@settings(max_examples=60)
@given(convolutions())
def test_sums_equal_the_definition(case):
    levels, zero, window = case
    result = accumulate(levels, zero, window)
    samples, _, height, width = levels.shape
    (top, left, bottom, right), (sy, sx), (dy, dx) = window.pads, window.stride, window.dilation
    outputs, _, kh, kw = window.weights.shape
    assert result.shape == (
        samples,
        outputs,
        output_size(height, kh, sy, top + bottom, dy),
        output_size(width, kw, sx, left + right, dx),
    )
    assert result.dtype == np.int64
    above, before, below, behind = window.inset
    for (n, o, y, x), value in np.ndenumerate(result):
        expected = 0
        within = above <= y < result.shape[2] - below and before <= x < result.shape[3] - behind
        for i in range(window.weights.shape[1]):
            for ky in range(kh):
                for kx in range(kw):
                    line, column = y * sy - top + ky * dy, x * sx - left + kx * dx
                    inside = within and 0 <= line < height and 0 <= column < width
                    level = levels[n, o if window.depthwise else i, line, column] if inside else zero
                    expected += int(window.weights[o, i, ky, kx]) * int(level)
        assert value == expected


@pytest.mark.parametrize("scale", [1, 1 << 12, 1 << 20])
def test_sums_are_exact_whatever_their_size(scale):
    rng = np.random.default_rng(4)
    levels = rng.integers(-4096, 4097, (2, 8, 3, 3))
    weights = rng.integers(-scale, scale + 1, (5, 8, 3, 3))
    result = accumulate(levels, 0, Window(weights))
    expected = np.einsum("ncyx,ocyx->no", levels.astype(object), weights.astype(object))
    np.testing.assert_array_equal(result[:, :, 0, 0], expected)


def test_sums_that_cannot_be_exact_are_refused():
    with pytest.raises(ValueError, match="cannot be computed exactly"):
        accumulate(np.full((1, 1, 1, 1), 1 << 30), 0, Window(np.full((1, 1, 1, 1), 1 << 30)))


def test_channels_must_match():
    with pytest.raises(ValueError, match="the segment's weights are for 3 channels, its source has 2"):
        accumulate(np.zeros((1, 2, 1, 1)), 0, Window(np.ones((1, 3, 1, 1))))
    with pytest.raises(ValueError, match="the segment's weights are for 3 channels, its source has 1"):
        accumulate(np.zeros((1, 1, 1, 1)), 0, Window(np.ones((3, 1, 1, 1)), depthwise=True))


def test_many_samples_are_computed_in_parts():
    levels = np.random.default_rng(0).integers(-16, 17, (40, 16, 16, 16))
    window = Window(np.random.default_rng(1).integers(-16, 17, (3, 16, 3, 3)), pads=(1, 1, 1, 1))
    together = accumulate(levels, 0, window)
    for index in (0, 17, 39):
        np.testing.assert_array_equal(accumulate(levels[index : index + 1], 0, window)[0], together[index])


formats = st.sampled_from(
    [DyBit(2), DyBit(3), DyBit(4), DyBit(4, signed=False), DyBit(8), Int(4), Int(4, signed=False), Int(8)]
)


@given(formats, st.data())
def test_rescaling_rounds_once_to_the_nearest_level_ties_up(fmt, data):
    levels = fmt.levels.tolist()
    low, high = sorted(data.draw(st.lists(st.sampled_from(levels), min_size=2, max_size=2)))
    zero = data.draw(st.sampled_from(levels))
    bits = data.draw(st.sampled_from([2, 4, 8, 16]))
    multiplicand = data.draw(st.integers(1 << (bits - 1), (1 << bits) - 1))
    shift = data.draw(st.integers(0, 24))
    acc, bias = data.draw(st.integers(-(1 << 15), 1 << 15)), data.draw(st.integers(-(1 << 15), 1 << 15))
    if data.draw(st.booleans()):  # near the levels, where rounding matters
        acc = -bias + data.draw(st.integers(-20, 20)) * 2**shift // multiplicand
    real = Fraction((acc + bias) * multiplicand, 2**shift) + zero
    nearest = min(levels, key=lambda level: (abs(level - real), -level))
    result = rescale([[acc]], [bias], [multiplicand], [shift], zero=zero, fmt=fmt, low=low, high=high)
    assert result.tolist() == [[max(low, min(high, nearest))]]


def test_rescaling_is_per_channel():
    acc = np.arange(12).reshape(1, 3, 2, 2)
    result = rescale(acc, [0, 10, 0], [8, 8, 12], [3, 3, 4], zero=0, fmt=Int(8), low=-127, high=127)
    assert result[0].reshape(3, 4).tolist() == [[0, 1, 2, 3], [14, 15, 16, 17], [6, 7, 8, 8]]


def test_the_largest_products_do_not_overflow():
    top = (1 << 29) - 1
    for acc, level in ((top, 127), (-top - 1, -127)):
        result = rescale([[acc]], [0], [(1 << 32) - 1], [0], zero=100, fmt=Int(8), low=-127, high=127)
        assert result.tolist() == [[level]]


@settings(max_examples=60)
@given(convolutions())
def test_the_maximum_excludes_padding(case):
    levels, _, window = case
    kernel = window.weights.shape[2:]
    geometry = {"kernel": kernel, "stride": window.stride, "pads": window.pads, "dilation": window.dilation}
    samples, channels, height, width = levels.shape
    (top, left, bottom, right), (sy, sx), (dy, dx) = window.pads, window.stride, window.dilation
    shape = (output_size(height, kernel[0], sy, top + bottom, dy), output_size(width, kernel[1], sx, left + right, dx))
    expected = np.zeros((samples, channels, *shape), dtype=np.int64)
    for y in range(shape[0]):
        for x in range(shape[1]):
            lines = [line for k in range(kernel[0]) if 0 <= (line := y * sy - top + k * dy) < height]
            columns = [column for k in range(kernel[1]) if 0 <= (column := x * sx - left + k * dx) < width]
            if not lines or not columns:
                with pytest.raises(ValueError, match="a max-pool window lies in the padding altogether"):
                    max_pool(levels, **geometry)
                return
            expected[:, :, y, x] = levels[:, :, lines][:, :, :, columns].max(axis=(2, 3))
    np.testing.assert_array_equal(max_pool(levels, **geometry), expected)


@st.composite
def products(draw):
    """Levels and zero levels of two tensors, and whether their product is elementwise."""
    depthwise, channels, lines, columns = draw(st.booleans()), *(draw(st.integers(1, 4)) for _ in range(3))
    one = draw(st.booleans())
    size = ((1, 1) if one else (lines, columns)) if depthwise else tuple(draw(st.integers(1, 3)) for _ in range(2))
    x, w = (
        np.array(draw(st.lists(st.integers(-128, 127), min_size=count, max_size=count))).reshape(shape)
        for shape in ((2, channels, lines, columns), (2, channels, *size))
        for count in [int(np.prod(shape))]
    )
    return x, draw(st.integers(-128, 127)), w, draw(st.integers(-128, 127)), depthwise


@settings(max_examples=60)
@given(products(), st.integers(1, 255), st.integers(0, 30), st.integers(-128, 127))
def test_products_of_tensors_are_those_of_the_real_numbers(case, multiplicand, shift, zero_out):
    """What is rescaled, with the zero levels' product in the bias, is exactly the product of what levels stand for."""
    x, zero, w, held_zero, depthwise = case
    sums = accumulate_products(x, zero, w, held_zero, depthwise=depthwise)
    terms = 1 if depthwise else x.shape[1]
    span = tuple((min(0, v.min()), max(0, v.max())) for v in (x, w))
    low, high = product_sum_bounds(span[0], zero, span[1], held_zero, terms)
    assert low <= sums.min() and sums.max() <= high
    outputs = sums.shape[1]
    bias = np.full(outputs, terms * zero * held_zero)
    m, s = np.full(outputs, multiplicand), np.full(outputs, shift)
    levels = rescale(sums, bias, m, s, zero=zero_out, fmt=Int(8), low=-127, high=127)
    pixels = [(line, column) for line in range(w.shape[2]) for column in range(w.shape[3])]
    for (n, o, y, c), level in np.ndenumerate(levels):
        weights = [w[n, o, y % w.shape[2], c % w.shape[3]]] if depthwise else w[n, :, *pixels[o]]
        values = [x[n, o, y, c]] if depthwise else x[n, :, y, c]
        real = sum(Fraction(int(a) - zero) * (int(b) - held_zero) for a, b in zip(values, weights, strict=True))
        exact = real * Fraction(multiplicand, 2**shift) + zero_out
        assert level == min(max(int((exact + Fraction(1, 2)).__floor__()), -127), 127)


def test_tensors_of_other_shapes_have_no_product() -> None:
    x, w = np.zeros((1, 2, 3, 3), dtype=int), np.zeros((1, 2, 3, 2), dtype=int)
    with pytest.raises(ValueError, match="no elementwise product"):
        accumulate_products(x, 0, w, 0, depthwise=True)
    with pytest.raises(ValueError, match="no matrix product"):
        accumulate_products(x, 0, w[:, :1], 0, depthwise=False)
