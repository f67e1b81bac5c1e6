"""Words of codes as beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.words import pack_codes, unpack_codes


@given(st.integers(1, 8), st.data())
def test_codes_lie_from_the_low_bits_and_come_back(code_bits, data):
    codes = data.draw(st.lists(st.integers(0, (1 << code_bits) - 1), min_size=1, max_size=70))
    beats = pack_codes(codes, code_bits)
    assert beats.dtype == np.uint32
    word = sum(int(beat) << (32 * number) for number, beat in enumerate(beats))
    assert word == sum(code << (code_bits * place) for place, code in enumerate(codes))
    assert len(beats) == -(-len(codes) * code_bits // 32)
    assert unpack_codes(beats, len(codes), code_bits).tolist() == codes


def test_leading_axes_are_kept():
    codes = np.random.default_rng(0).integers(0, 16, (3, 2, 12))
    beats = pack_codes(codes, 4)
    assert beats.shape == (3, 2, 2)
    np.testing.assert_array_equal(unpack_codes(beats, 12, 4), codes)


@pytest.mark.parametrize("code_bits", [3, 4])
def test_no_words_are_no_words(code_bits: int) -> None:
    packed = pack_codes(np.zeros((0, 16), dtype=np.uint8), code_bits)
    assert packed.shape == (0, -(-16 * code_bits // 32))
    assert unpack_codes(packed, 16, code_bits).shape == (0, 16)


def test_codes_wider_than_a_byte_are_refused():
    with pytest.raises(ValueError, match="a code has 1 to 8 bits, not 9"):
        pack_codes([1, 2], 9)


def test_as_many_words_as_a_word_has_codes_when_filled_up():
    codes = np.random.default_rng(1).integers(0, 16, (4, 3))
    assert pack_codes(codes, 4).tolist() == [[sum(int(c) << 4 * i for i, c in enumerate(row))] for row in codes]
