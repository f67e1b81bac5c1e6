"""Transfers: bursts cover just what they should, and never cross a page."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.isa import LOAD, Opcode
from narrows.hw.spec.registers import Region, region_stride
from narrows.hw.spec.transfer import (
    BURST_BEATS,
    PAGE,
    bursts,
    is_legal,
    line_bytes,
    line_starts,
    pieces_per_word,
    words_per_beat,
)
from narrows.hw.spec.transfer_cycles import BusTiming, transfer_cycles

FIELDS = {"memory": Region.WEIGHTS, "count": 3, "lines": 2, "external": 64, "external_pitch": 0x100}


def config(bus_bits: int, preset: str = "medium"):
    return dataclasses.replace(PRESETS[preset], backing="axi4", bus_bits=bus_bits)


@given(
    start=st.integers(0, 1 << 20).map(lambda word: 4 * word),
    count=st.integers(1, 1 << 14).map(lambda word: 4 * word),
    bus_bits=st.sampled_from([32, 64, 128]),
)
def test_bursts_cover_a_line_once_and_stay_within_pages(start: int, count: int, bus_bits: int) -> None:
    beat = bus_bits // 8
    covered = []
    for burst in bursts(config(bus_bits), start, count):
        assert 1 <= burst.beats <= BURST_BEATS
        assert burst.address % beat == 0
        assert burst.address // PAGE == (burst.address + burst.beats * beat - 1) // PAGE
        covered += range(burst.address, burst.address + burst.beats * beat, beat)
    assert covered == list(range(start // beat * beat, start + count, beat))


@pytest.mark.parametrize("bus_bits", [32, 64, 128])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("region", [Region.WEIGHTS, Region.PARAMS, Region.ACTIVATIONS])
def test_a_word_is_whole_beats_or_a_beat_is_whole_words(bus_bits: int, preset: str, region: Region) -> None:
    shape = config(bus_bits, preset)
    assert region_stride(shape, region) * words_per_beat(shape, region) == shape.bus_bytes * pieces_per_word(
        shape, region
    )


def test_lines_wrap_at_the_end_of_the_address_space() -> None:
    fields = FIELDS | {"external": 0xFFFFFF00, "external_pitch": 0x200, "lines": 3}
    assert list(line_starts(fields)) == [0xFFFFFF00, 0x100, 0x300]
    assert line_bytes(config(64), FIELDS) == 3 * 32


@pytest.mark.parametrize(
    ("opcode", "change", "legal"),
    [
        (Opcode.LOAD, {}, True),
        (Opcode.LOAD, {"memory": Region.PARAMS}, True),
        (Opcode.LOAD, {"memory": Region.ACTIVATIONS}, True),
        (Opcode.LOAD, {"memory": Region.INSTRUCTIONS}, False),
        (Opcode.LOAD, {"count": 0}, False),
        (Opcode.LOAD, {"lines": 0}, False),
        (Opcode.STORE, {}, False),
        (Opcode.STORE, {"memory": Region.ACTIVATIONS}, True),
    ],
)
def test_memories_and_counts_decide_what_is_legal(opcode: Opcode, change: dict[str, int], legal: bool) -> None:
    assert is_legal(opcode, LOAD.decode(LOAD.encode(FIELDS | change))) is legal


def test_a_long_load_takes_its_beats_and_a_latency() -> None:
    fields = LOAD.decode(LOAD.encode(FIELDS | {"count": 512, "lines": 1}))
    beats = 512 * 32 // 8
    cycles = [transfer_cycles(config(64), Opcode.LOAD, fields, BusTiming(latency=64, pace=pace)) for pace in (1, 4)]
    assert 0 <= cycles[0] - (beats + 64) < 16
    assert 0 <= cycles[1] - (4 * beats + 64) < 16
