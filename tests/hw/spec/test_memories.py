"""Windows of memories: no word lies where another one does, and no window reaches into the next."""

import itertools

import pytest
from narrows.hw.spec.memories import WINDOW_BITS, stride_bytes, words_in_window


@pytest.mark.parametrize(
    ("bits", "stride"),
    [(1, 4), (32, 4), (33, 8), (64, 8), (65, 16), (96, 16), (128, 16), (129, 32), (256, 32), (257, 64), (1024, 128)],
)
def test_strides(bits: int, stride: int) -> None:
    assert stride_bytes(bits) == stride


def test_a_stride_is_the_least_power_of_two_that_holds_the_beats_of_a_word() -> None:
    for bits in range(1, 2049):
        stride, beats = stride_bytes(bits), -(-bits // 32)
        assert stride == min(size for size in (4 << step for step in range(8)) if size >= 4 * beats), bits
        assert words_in_window(bits) * stride == 1 << WINDOW_BITS, bits


def test_wider_words_never_have_more_room() -> None:
    rooms = [words_in_window(bits) for bits in range(1, 600)]
    assert all(wide <= narrow for narrow, wide in itertools.pairwise(rooms))
    assert rooms[0] == 1 << 20
