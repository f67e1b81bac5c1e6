"""Tables of levels: words and back, and where each integer's entry lies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.tables import decode_table, encode_table, look_up


@given(st.lists(st.integers(-287, 287), min_size=255, max_size=255))
def test_levels_come_back_and_lie_by_sign_and_magnitude(levels):
    words = encode_table(levels, 10)
    assert (words.shape, words.dtype) == ((256, 1), np.uint32)
    np.testing.assert_array_equal(decode_table(words, 10), levels)
    for integer in (-127, -1, 0, 1, 127):
        level = int(look_up(levels, integer))
        assert level == levels[integer + 127]
        assert words[(128 if integer < 0 else 0) | abs(integer), 0] == (512 if level < 0 else 0) | abs(level)


def test_what_is_no_table_is_refused():
    with pytest.raises(ValueError, match="a table has 255 levels"):
        encode_table([0] * 256, 10)
    with pytest.raises(ValueError, match="level -600 of a table does not fit 10 bits"):
        encode_table([-600] + [0] * 254, 10)
