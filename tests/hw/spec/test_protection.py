"""Check bits: every flip of one bit is seen, and with SECDED corrected, every flip of two seen."""

from __future__ import annotations

import itertools

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.protection import (
    PROTECTED,
    StoredBit,
    Verdict,
    check_code,
    granule_bits,
    region_code,
    stored_bits,
    used_bits,
)
from narrows.hw.spec.registers import Region, region_word_bits


@pytest.mark.parametrize("bits", [1, 4, 9, 16, 32])
def test_parity_sees_one_flip_and_no_two(bits: int) -> None:
    code = check_code("parity", bits)
    assert code.bits == 1 and not code.corrects
    assert all(code.judge(1 << bit)[0] is Verdict.DAMAGED for bit in range(bits + 1))
    for one, other in itertools.combinations(range(bits + 1), 2):
        flips = 1 << one | 1 << other
        assert code.judge(flips) == (Verdict.UNSEEN, flips & ((1 << bits) - 1))


@pytest.mark.parametrize(("bits", "checks"), [(1, 4), (4, 4), (5, 5), (8, 5), (16, 6), (26, 6), (32, 7), (64, 8)])
def test_secded_corrects_one_flip_and_sees_two(bits: int, checks: int) -> None:
    code = check_code("secded", bits)
    assert code.bits == checks
    assert all(code.judge(1 << bit) == (Verdict.CORRECTED, 0) for bit in range(bits + checks))
    for one, other in itertools.combinations(range(bits + checks), 2):
        assert code.judge(1 << one | 1 << other)[0] is Verdict.DAMAGED


def test_sound_words_and_words_that_nobody_wrote_pass() -> None:
    for protection in ("parity", "secded"):
        code = check_code(protection, 8)
        assert code.check(0) == 0
        assert code.judge(0) == (Verdict.UNSEEN, 0)


def test_there_are_two_codes() -> None:
    with pytest.raises(ValueError, match="protection must be 'parity' or 'secded', not 'crc'"):
        check_code("crc", 8)


@pytest.mark.parametrize("region", PROTECTED)
def test_the_bits_of_a_word_are_stored_once_with_check_bits_behind_them(region: Region) -> None:
    config = AcceleratorConfig(rows=2, columns=3, lanes=8, rescalers=1, tables=1, protection="secded")
    used = used_bits(config, region)
    assert sum(used) == region_word_bits(config, region) and min(used) > 0
    assert max(used) <= granule_bits(config, region)
    bits = stored_bits(config, region)
    assert bits[0] == StoredBit(0, 0) and len(set(bits)) == len(bits)
    assert len(bits) == sum(part + region_code(config, region, number).bits for number, part in enumerate(used))
    assert region_code(config, region, 0).corrects == (region in (Region.WEIGHTS, Region.ACTIVATIONS))


def test_weights_in_parts_have_check_bits_for_each_part() -> None:
    near = AcceleratorConfig(rows=4, columns=4, lanes=16, weight_words=64)
    far = AcceleratorConfig(rows=4, columns=16, lanes=16, rescalers=8, weight_words=64)
    assert (granule_bits(near, Region.WEIGHTS), granule_bits(far, Region.WEIGHTS)) == (32, 16)
