"""Windows: sizes they give, and which of their pixels see padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.windows import Window

small = st.integers(1, 4)


@given(st.integers(1, 12), st.integers(1, 12), small, small, small, st.tuples(*[st.integers(0, 3)] * 4))
def test_the_output_has_as_many_lines_and_columns_as_windows_fit(height, width, kernel, stride, dilation, pads) -> None:
    window = Window(kernel=(kernel, kernel), stride=(stride, stride), dilation=(dilation, dilation), pads=pads)
    reach = dilation * (kernel - 1) + 1
    fits = [
        len(range(0, size - reach + 1, stride))
        for size in (height + pads[0] + pads[2], width + pads[1] + pads[3])
        if size >= reach
    ]
    if len(fits) == 2:
        assert window.output(height, width) == tuple(fits)


def test_negative_pads_leave_out_lines_and_columns() -> None:
    assert Window(kernel=(1, 1), pads=(-1, -2, 0, -1)).output(5, 7) == (4, 4)


def test_the_inset_is_what_sees_only_padding() -> None:
    window = Window(kernel=(1, 1), pads=(1, 0, 2, 1), inset=(1, 0, 2, 1))
    assert window.sees_padding
    wanted = np.zeros((6, 4), dtype=bool)
    wanted[1:4, :3] = True
    np.testing.assert_array_equal(window.inside(6, 4), wanted)
    assert not window.inside(2, 1).any()
    assert not Window(kernel=(3, 3), pads=(-1, 0, 0, 0)).sees_padding


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kernel": (0, 1)}, r"kernel \(0, 1\), stride \(1, 1\), dilation \(1, 1\): all must be positive"),
        ({"kernel": (1, 1), "stride": (1, 0)}, r"stride \(1, 0\), dilation \(1, 1\): all must be positive"),
        ({"kernel": (1, 1 << 21)}, "reach beyond 1048576 pixels"),
    ],
)
def test_impossible_windows_are_refused(wrong, said) -> None:
    with pytest.raises(ValueError, match=said):
        Window(**wrong)
