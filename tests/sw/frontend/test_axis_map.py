"""A matrix along one axis as taps at constant distances, with exceptions near the ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrows.hw.spec.isa import BORDER_MAX
from narrows.sw.frontend.axis_map import AxisMap


def matrix_of(found):
    """What the pieces of a map give, by their definition."""
    result = np.zeros((found.count, found.ways, found.size))
    for piece in found.pieces:
        for at in range(piece.insets[0], found.count - piece.insets[1]):
            for tap in range(piece.weights.shape[1]):
                if 0 <= (line := at * found.stride + piece.first + tap) < found.size:
                    result[at, :, line] += piece.weights[:, tap]
    return result.reshape(-1, found.size)[: found.outputs]


@settings(max_examples=200)
@given(seed=st.integers(0, 10**6), outputs=st.integers(1, 31), size=st.integers(1, 9), plain=st.booleans())
def test_any_matrix_of_few_lines_is_a_map(seed, outputs, size, plain):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(outputs, size)) * (rng.random((outputs, size)) < 0.5)
    matrix[0, 0] = 1
    found = AxisMap.of(matrix, plain=plain)
    assert found is not None and (not plain or found.ways == 1)
    np.testing.assert_allclose(matrix_of(found), matrix, atol=1e-9, err_msg=f"seed {seed}")


@settings(max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    ways=st.integers(1, 4),
    stride=st.integers(1, 4),
    count=st.integers(3, 40),
    taps=st.integers(1, 4),
    border=st.integers(0, 2),
)
def test_what_repeats_takes_no_more_than_one_piece_and_its_borders(seed, ways, stride, count, taps, border):
    rng = np.random.default_rng(seed)
    size = (count - 1) * stride + taps
    matrix = np.zeros((count, ways, size))
    weights = rng.integers(1, 5, (ways, taps))
    for at in range(count):
        matrix[at, :, at * stride : at * stride + taps] = weights
    matrix[:border, :, :1] += 1.0
    matrix = matrix.reshape(-1, size)
    found = AxisMap.of(matrix, plain=False)
    assert found is not None
    np.testing.assert_allclose(matrix_of(found), matrix, atol=1e-9)
    assert all(max(piece.insets) <= BORDER_MAX for piece in found.pieces)
    assert found.cost <= ways * (taps + 2 * border + border * border * stride + border)


@pytest.mark.parametrize("lines", [2, 17, 100])
def test_one_line_for_many_is_one_piece(lines):
    found = AxisMap.of(np.ones((lines, 1)), plain=True)
    assert found is not None and len(found.pieces) == 1
    np.testing.assert_array_equal(matrix_of(found), np.ones((lines, 1)))


def test_a_long_flip_reaches_beyond_what_borders_count():
    assert AxisMap.of(np.eye(40)[::-1], plain=True) is None
