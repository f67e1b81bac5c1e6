"""TensorLayout: addresses by the formula of docs/machine.md, packing and its inverse."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.digits import base_digits
from narrows.hw.spec.layout import TensorLayout, Unfold

D4 = base_digits("dybit4")


@st.composite
def layouts(draw):
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    phases = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    channels, lanes = draw(st.integers(1, 9)), draw(st.sampled_from([2, 4, 8]))
    return TensorLayout(
        channels=channels,
        height=height,
        width=width,
        lanes=lanes,
        planes=draw(st.integers(1, 3)),
        base=draw(st.integers(0, 99)),
        phases=phases,
        line=-(-width // phases[1]) + draw(st.integers(0, 2)),
        groups=-(-channels // lanes) + draw(st.integers(0, 1)),
        gap=draw(st.integers(0, 3)),
    )


@given(layouts())
def test_addresses_follow_the_formula(layout):
    py, px = layout.phases
    addresses = layout.addresses()
    groups = -(-layout.channels // layout.lanes)
    assert addresses.shape == (groups, layout.planes, layout.height, layout.width)
    for (g, d, y, x), address in np.ndenumerate(addresses):
        expected = (
            layout.base
            + g * layout.group_pitch
            + d * layout.plane_pitch
            + ((y % py) * px + x % px) * layout.phase_pitch
            + (y // py) * layout.line
            + x // px
        )
        assert address == expected


@given(layouts())
def test_words_do_not_collide_and_stay_inside(layout):
    addresses = layout.addresses().reshape(-1)
    assert len(np.unique(addresses)) == len(addresses)
    assert addresses.min() >= layout.base
    assert addresses.max() < layout.base + layout.size


@given(layouts(), st.integers(0, 2**32 - 1))
def test_packing_gives_the_levels_back(layout, seed):
    rng = np.random.default_rng(seed)
    shape = (layout.channels, layout.height, layout.width)
    if layout.planes == 1:
        levels = rng.choice(D4.base.levels, shape)
    else:
        levels = rng.integers(-D4.span(layout.planes), D4.span(layout.planes) + 1, shape)
    codes = layout.pack(levels, D4)
    assert codes.shape == (*layout.addresses().shape, layout.lanes)
    np.testing.assert_array_equal(layout.unpack(codes, D4), levels)
    c, y, x = (int(rng.integers(0, size)) for size in shape)
    word = codes[c // layout.lanes, :, y, x, c % layout.lanes]
    np.testing.assert_array_equal(word, D4.to_planes(levels[c, y, x], layout.planes))


def test_lanes_beyond_the_channels_are_zero():
    layout = TensorLayout(channels=3, height=1, width=1, lanes=4, planes=1)
    assert layout.pack(np.full((3, 1, 1), -4), D4).reshape(-1).tolist() == [12, 12, 12, 0]


def test_offsets_beyond_the_tensor_are_those_of_padding():
    layout = TensorLayout(channels=1, height=4, width=6, lanes=4, planes=1, phases=(1, 2))
    # Columns -1 and 1 are odd: the second phase, one word left and right of column 1 - 2.
    assert layout.spatial(0, [-1, 1, 3]).tolist() == [11, 12, 13]
    plain = TensorLayout(channels=1, height=4, width=6, lanes=4, planes=1)
    assert plain.spatial(-1, -1) == -7


def test_fields_round_trip():
    layout = TensorLayout(channels=5, height=4, width=6, lanes=4, planes=2, base=7, phases=(2, 1), line=9)
    assert TensorLayout(**layout.to_dict()) == layout
    assert (layout.groups, layout.phase_pitch, layout.plane_pitch, layout.group_pitch, layout.size) == (
        2,
        18,
        36,
        72,
        144,
    )


def test_a_tensor_that_does_not_fit_its_planes_is_refused():
    layout = TensorLayout(channels=1, height=1, width=1, lanes=4, planes=1)
    with pytest.raises(ValueError, match="5 is not a level of dybit4"):
        layout.pack([[[5]]], D4)


def test_interleaved_channel_groups_lie_side_by_side():
    layout = TensorLayout(channels=7, height=2, width=3, lanes=4, planes=2, base=5, interleaved=True, phases=(1, 2))
    addresses = layout.addresses()
    assert (layout.group_pitch, layout.pixel_pitch, layout.size) == (1, 2, 2 * 2 * 2 * 2 * 2)
    np.testing.assert_array_equal(addresses[1], addresses[0] + 1)
    assert addresses[0, 0, 0].tolist() == [5, 5 + 2 * 4, 5 + 2]
    assert len(np.unique(addresses)) == addresses.size and addresses.max() < 5 + layout.size


def test_an_unfolded_tensor_stores_windows_and_what_lies_around_it():
    levels = np.arange(1, 2 * 3 * 4 + 1).reshape(2, 3, 4) % 5
    unfold = Unfold(channels=2, height=3, width=4, kernel=(2, 3), stride=(1, 2), pad=(1, 1), dilation=(2, 1), fill=-3)
    layout = TensorLayout(channels=12, height=3, width=2, lanes=8, planes=1, unfold=unfold)
    stored = layout.unpack(layout.pack(levels, D4), D4)
    for k, y, x in np.ndindex(12, 3, 2):
        ky, kx, c = k // 6, k // 2 % 3, k % 2
        line, column = y + 2 * ky - 1, 2 * x + kx - 1
        inside = 0 <= line < 3 and 0 <= column < 4
        assert stored[k, y, x] == (levels[c, line, column] if inside else -3), (k, y, x)
    assert TensorLayout(**json.loads(json.dumps(layout.to_dict()))) == layout
