"""Checksums: folding, order, agreement of the packed and of the code-wise form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.checksum import checksum, fold
from narrows.sim.isa_memory import fold_codes


@given(st.lists(st.integers(0, 65535), max_size=300))
def test_the_sums_follow_their_definition(words):
    a = b = 0
    for word in words:
        a = (a + word) % 65536
        b = (b + a) % 65536
    assert checksum(words) == b << 16 | a


def test_nothing_written_sums_to_zero():
    assert checksum([]) == 0


@given(st.lists(st.integers(0, 65535), min_size=2, max_size=50), st.data())
def test_a_swap_of_neighbours_shows(words, data):
    index = data.draw(st.integers(0, len(words) - 2))
    swapped = words.copy()
    swapped[index], swapped[index + 1] = words[index + 1], words[index]
    assert (checksum(swapped) == checksum(words)) == (words[index] == words[index + 1])


@pytest.mark.parametrize("code_bits", [2, 4])
@pytest.mark.parametrize("codes", [1, 2, 4, 8, 16, 64])
@given(seed=st.integers(0, 2**32 - 1))
def test_folding_codes_equals_folding_words(codes, code_bits, seed):
    values = np.random.default_rng(seed).integers(0, 1 << code_bits, (5, codes)).astype(np.uint8)
    words = [sum(int(code) << (code_bits * place) for place, code in enumerate(row)) for row in values]
    expected = []
    for word in words:
        folded = 0
        while word:
            folded, word = folded ^ (word & 0xFFFF), word >> 16
        expected.append(folded)
    assert fold(words, code_bits * codes).tolist() == expected
    assert fold_codes(values, code_bits).tolist() == expected
