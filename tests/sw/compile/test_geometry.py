"""Windows, borders and walks agree with counting pixel by pixel."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.layout import TensorLayout
from narrows.hw.spec.pixels import pixel_groups
from narrows.sw.compile.geometry import BorderError, Walk, Window, band_layout, choose_walk, drains_apart

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


@pytest.mark.parametrize(("rows", "drain_rows"), [(4, 2), (4, 4), (6, 4), (7, 2)])
def test_pixels_that_drain_side_by_side_lie_in_different_banks(rows: int, drain_rows: int) -> None:
    config = AcceleratorConfig(rows=rows, columns=4, lanes=8, rescalers=2, drain_rows=drain_rows)
    rng = np.random.default_rng(rows)
    verdicts = set()
    for _ in range(120):
        height, width = (int(size) for size in rng.integers(1, 9, 2))
        layout = TensorLayout(
            channels=8,
            height=height,
            width=width,
            lanes=8,
            planes=1,
            phases=tuple(int(phase) for phase in rng.integers(1, 3, 2)),
            gap=int(rng.integers(4)),
        )
        y, x = np.indices((height, width)).reshape(2, -1)
        banks = layout.spatial(y, x) % config.banks
        clash = False
        for wrap in (0, 1):
            group, row = pixel_groups(height, width, min(rows, height * width if wrap else width), wrap)
            sets = np.stack([group, row // drain_rows, banks])
            clash |= len(np.unique(sets, axis=1).T) < len(banks)
        verdicts.add(verdict := drains_apart(layout, config))
        assert not (verdict and clash), layout
        if rows % drain_rows == 0:  # elsewhere a layout has to suit groups that begin anywhere
            assert verdict or clash, layout
    assert verdicts == {False, True}


def test_a_band_drains_as_its_tensor_does() -> None:
    config = AcceleratorConfig(rows=4, columns=4, lanes=8, rescalers=2, drain_rows=4, backing="axi4")
    whole = TensorLayout(channels=8, height=16, width=8, lanes=8, planes=2, phases=(2, 2), gap=2)
    assert drains_apart(whole, config)
    for lines in range(1, 17):
        band = band_layout(whole, lines, config)
        assert (band.height, drains_apart(band, config)) == (lines, True)
        assert band_layout(whole, lines, dataclasses.replace(config, drain_rows=1)).gap == whole.gap
