"""Address map: aligned, disjoint, large enough for every configuration."""

import dataclasses

import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.registers import (
    ADDRESS_BITS,
    MAGIC,
    REGION_BITS,
    Access,
    Fault,
    Region,
    Register,
    core_faults,
    core_registers,
    region_address,
    region_beats,
    region_depth,
    region_stride,
    region_word_bits,
)

LARGEST = AcceleratorConfig(
    rows=1,
    columns=64,
    lanes=8,
    rescalers=8,
    act_words=65536,
    weight_words=4096,
    param_words=1024,
    taps=1024,
    blocks=1024,
    instructions=1024,
    acc_bits=32,
)


def test_registers_are_consecutive_words():
    assert [register.offset for register in Register] == [4 * index for index in range(len(Register))]
    assert all(register.doc for register in Register)
    assert {register.name for register in Register if register.access is Access.WRITE} == {
        "PROGRAM_CONFIG",
        "CONTROL",
        "WATCHDOG",
        "WINDOW_BASE",
        "WINDOW_LIMIT",
        "IRQ_ENABLE",
        "IRQ_STATUS",
        "STREAM",
        "ENTRY",
    }


def test_the_magic_spells_the_name():
    assert MAGIC.to_bytes(4, "big") == b"nrws"


@pytest.mark.parametrize("config", [*PRESETS.values(), LARGEST], ids=[*PRESETS, "largest"])
@pytest.mark.parametrize("region", Region)
def test_a_region_fits_its_window(config, region):
    last_word = max(0, region_depth(config, region) - 1)  # there may be no tables
    last = region_address(config, region, last_word, region_beats(config, region) - 1)
    assert last >> REGION_BITS == region
    assert last < 1 << ADDRESS_BITS


@pytest.mark.parametrize("config", [*PRESETS.values(), LARGEST], ids=[*PRESETS, "largest"])
@pytest.mark.parametrize("region", Region)
def test_words_are_whole_beats_on_a_power_of_two(config, region):
    beats, stride = region_beats(config, region), region_stride(config, region)
    assert 32 * (beats - 1) < region_word_bits(config, region) <= 32 * beats
    assert stride & (stride - 1) == 0
    assert 4 * beats <= stride < 8 * beats


def test_addresses_of_a_wide_word():
    config = dataclasses.replace(LARGEST, columns=8, lanes=16)  # 512 bits a weight word
    assert (region_beats(config, Region.WEIGHTS), region_stride(config, Region.WEIGHTS)) == (16, 64)
    assert region_address(config, Region.WEIGHTS, 3, 2) == (5 << 22) + 3 * 64 + 8
    narrow = dataclasses.replace(LARGEST, columns=24, lanes=8, rescalers=8)  # 768 bits
    assert (region_beats(narrow, Region.WEIGHTS), region_stride(narrow, Region.WEIGHTS)) == (24, 128)


def test_instructions_are_addressed_by_the_32_bit_word():
    config = PRESETS["demo"]
    assert region_depth(config, Region.INSTRUCTIONS) == 16 * config.instructions
    assert region_stride(config, Region.INSTRUCTIONS) == 4


def test_a_core_has_the_registers_of_its_parts():
    plain = core_registers(AcceleratorConfig())
    assert Register.MAGIC in plain and Register.CYCLES in plain
    assert list(plain) == sorted(plain, key=lambda register: register.offset)
    for changes, register in (
        ({"backing": "axi4"}, Register.WINDOW_LIMIT),
        ({"frame_bytes": 64}, Register.FRAME_BYTES),
        ({"frame_bytes": 64, "streams": 1}, Register.STREAM),
        ({"boot": 1, "flash_divisor": 2}, Register.BOOT),
        ({"entry": 1}, Register.ENTRY),
        ({"protection": "parity"}, Register.DAMAGE),
    ):
        assert register not in plain
        assert register in core_registers(AcceleratorConfig(**changes))
    assert set(core_registers(AcceleratorConfig(host="uart"))) < set(plain)


def test_only_a_protected_core_knows_of_damaged_words():
    plain, protected = AcceleratorConfig(), AcceleratorConfig(protection="parity")
    assert Register.DAMAGE not in core_registers(plain) and Register.DAMAGE in core_registers(protected)
    assert [fault.name for fault in core_faults(protected)] == [fault.name for fault in Fault]
    assert {fault.name for fault in Fault} - {fault.name for fault in core_faults(plain)} == {"MEMORY_ERROR"}
    assert max(core_faults(plain)).bit_length() == 3, "no wider in hardware than it was"
