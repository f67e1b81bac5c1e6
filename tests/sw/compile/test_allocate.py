"""Tensors that live at the same time never share words."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.compile.allocate import Lifetime, lifetimes, pack_tensors

LIFE = st.tuples(st.integers(-1, 8), st.integers(0, 4)).map(lambda pair: Lifetime(pair[0], pair[0] + pair[1]))


@given(st.lists(st.tuples(st.integers(1, 50), LIFE), min_size=1, max_size=12))
def test_living_tensors_do_not_overlap(tensors):
    sizes = {f"t{index}": size for index, (size, _) in enumerate(tensors)}
    lives = {f"t{index}": life for index, (_, life) in enumerate(tensors)}
    bases, used = pack_tensors(sizes, lives)
    assert used == max(bases[name] + sizes[name] for name in sizes)
    for one, other in combinations(sizes, 2):
        if lives[one].meets(lives[other]):
            assert bases[one] + sizes[one] <= bases[other] or bases[other] + sizes[other] <= bases[one]


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_a_chain_needs_no_more_than_its_widest_layer(count):
    sizes = {f"t{index}": 10 + 7 * index % 13 for index in range(count)}
    lives = {f"t{index}": Lifetime(index - 1, index) for index in range(count)}
    _, used = pack_tensors(sizes, lives)
    widths = list(sizes.values())
    assert used == max(a + b for a, b in zip(widths, [*widths[1:], 0], strict=True))


def test_outputs_live_to_the_end_and_the_input_to_its_last_reader(builder, small_config):
    build = builder(small_config, 0)
    source = build.tensor((2, 2, 2))
    early = build.mac([build.segment(source, 2, levels=[1])], (2, 2))
    middle = build.mac([build.segment(source, 2, levels=[1])], (2, 2))
    last = build.mac([build.segment(middle, 2, levels=[1])], (2, 2))
    assert lifetimes(build.graph([early, last])) == {
        source: Lifetime(-1, 1),
        early: Lifetime(0, 3),
        middle: Lifetime(1, 2),
        last: Lifetime(2, 3),
    }
