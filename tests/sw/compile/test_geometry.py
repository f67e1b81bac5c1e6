"""Windows, borders and walks agree with counting pixel by pixel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.layout import TensorLayout
from narrows.sw.compile.geometry import BorderError, Walk, Window, choose_walk

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


def layout_of(height, width, phases=(1, 1), line=0):
    """Layout of one channel."""
    return TensorLayout(channels=1, height=height, width=width, lanes=2, planes=2, phases=phases, line=line)


@given(
    kernel=PAIR,
    stride=PAIR,
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=PAIR,
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    out=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    phased=st.tuples(st.booleans(), st.booleans()),
    plane=st.integers(0, 1),
)
def test_taps_find_every_pixel_and_every_border(kernel, stride, pad, dilation, size, out, phased, plane):
    phases = (stride[0] if phased[0] else 1, stride[1] if phased[1] else 1)
    layout = layout_of(size[0], size[1], phases)
    window = Window(kernel, stride, pad, dilation)
    line, pixel = window.steps(layout)
    assert line is not None
    assert pixel is not None
    taps = window.taps(layout, out, plane=plane)
    for index, tap in enumerate(taps):
        hit = False
        for oy in range(out[0]):
            for ox in range(out[1]):
                y = oy * stride[0] + index // kernel[1] * dilation[0] - pad[0]
                x = ox * stride[1] + index % kernel[1] * dilation[1] - pad[1]
                inside = 0 <= y < size[0] and 0 <= x < size[1]
                ends = (oy, out[0] - 1 - oy, ox, out[1] - 1 - ox)
                assert inside == all(min(end, 15) >= side for end, side in zip(ends, tap[1:], strict=True))
                if inside:
                    expected = layout.addresses()[0, plane, y, x]
                    assert tap.offset + oy * line + ox * pixel == expected
                    hit = True
        assert window.hits(layout, out)[index] == hit


def test_steps_are_unknown_where_phases_do_not_divide_the_stride():
    assert Window((1, 1), (3, 1), (0, 0), (1, 1)).steps(layout_of(6, 6, (2, 2))) == (None, None)


def test_taps_may_never_hit_a_tall_tensor():
    (tap,) = Window((1, 1), (1, 1), (40, 0), (1, 1)).taps(layout_of(10, 10), (20, 10))
    assert (tap.top, tap.bottom) == (15, 5)


def test_borders_beyond_the_counter_are_refused():
    with pytest.raises(BorderError, match="for 16 border pixels, the machine counts to 15: use less padding"):
        Window((1, 1), (1, 1), (16, 0), (1, 1)).taps(layout_of(40, 1), (40, 1))


@pytest.mark.parametrize(
    ("steps", "size", "walk"),
    [
        ([(8, 1)], (8, 8), Walk(4, 1, 4, 0, 16)),
        ([(8, 1), (8, 1)], (3, 8), Walk(4, 1, 4, 0, 6)),
        ([(10, 1)], (3, 7), Walk(4, 0, 4, 6, 6)),
        ([(16, 2)], (3, 7), Walk(1, 0, 2, 4, 21)),
        ([(16, 2)], (1, 1), Walk(1, 1, 1, 0, 1)),
        ([(None, None)], (1, 1), Walk(1, 1, 1, 0, 1)),
        ([(1, 7)], (9, 1), Walk(4, 1, 4, 0, 3)),
        ([(8, 1), (16, 2)], (8, 8), None),
        ([(None, 1)], (2, 2), None),
    ],
)
def test_walk_with_the_fewest_groups_is_chosen(steps, size, walk):
    assert choose_walk(steps, size, 4) == walk
