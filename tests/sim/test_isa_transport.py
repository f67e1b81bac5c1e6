"""Registers and windows of the ISA model look like a core's."""

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import INSTRUCTION_WORDS
from narrows.hw.spec.registers import (
    MAGIC,
    VERSION,
    Control,
    Fault,
    Interrupt,
    Region,
    Register,
    Status,
    region_address,
    region_beats,
    region_depth,
)
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import TransportError, run_sync

# 160 bits a weight word: 5 beats in a stride of 8
CONFIG = AcceleratorConfig(rows=1, columns=10, lanes=4, rescalers=2)
WINDOWS = [Region.INSTRUCTIONS, Region.BLOCKS, Region.TAPS, Region.PARAMS, Region.WEIGHTS, Region.ACTIVATIONS]


@pytest.fixture
def transport():
    return IsaTransport(CONFIG)


def write(transport, address, *values):
    run_sync(transport.write(address, np.array(values, dtype=np.uint32)))


def read(transport, address, count=1):
    return run_sync(transport.read(address, count)).tolist()


def test_constant_registers_identify_the_core(transport):
    assert read(transport, Register.MAGIC.offset, 3) == [MAGIC, VERSION, CONFIG.hash32]


def test_writable_registers_keep_their_value_and_control_does_not(transport):
    write(transport, Register.PROGRAM_CONFIG.offset, 0xFFFFFFFF)
    write(transport, Register.WATCHDOG.offset, 77)
    assert read(transport, Register.PROGRAM_CONFIG.offset, 2) == [0xFFFFFFFF, 0]
    assert read(transport, Register.WATCHDOG.offset) == [77]


def test_start_runs_and_clear_returns_from_a_fault(transport):
    write(transport, Register.CONTROL.offset, Control.START)
    assert read(transport, Register.STATUS.offset, 2) == [Fault.CONFIG_MISMATCH << 8 | 4, 0]
    write(transport, Register.PROGRAM_CONFIG.offset, CONFIG.hash32)
    write(transport, Register.CONTROL.offset, Control.START)
    assert read(transport, Register.STATUS.offset) == [Fault.CONFIG_MISMATCH << 8 | Status.FAULT | Status.REFUSED]
    write(transport, Register.CONTROL.offset, Control.CLEAR)
    assert read(transport, Register.STATUS.offset) == [0]
    write(transport, Register.CONTROL.offset, Control.START)
    run_sync(transport.wait(1))
    assert read(transport, Register.STATUS.offset) == [2]


def test_a_run_begins_where_the_host_says():
    transport = IsaTransport(dataclasses.replace(CONFIG, entry=1))
    write(transport, Register.PROGRAM_CONFIG.offset, CONFIG.hash32)
    write(transport, region_address(CONFIG, Region.INSTRUCTIONS, 3 * INSTRUCTION_WORDS), 7)  # no opcode
    for entry, status, index in ((3, Fault.ILLEGAL_INSTRUCTION << 8 | Status.FAULT, 3), (4, Status.DONE, 0)):
        write(transport, Register.ENTRY.offset, entry)
        assert read(transport, Register.ENTRY.offset) == [entry]
        write(transport, Register.CONTROL.offset, Control.START | Control.CLEAR)
        assert read(transport, Register.STATUS.offset, 2) == [status, index]
    write(transport, Register.ENTRY.offset, CONFIG.instructions)
    assert read(transport, Register.STATUS.offset) == [Status.DONE | Status.REFUSED]
    write(transport, Register.CONTROL.offset, Control.CLEAR)
    assert read(transport, Register.ENTRY.offset) == [4]
    write(transport, Register.PROGRAM_CONFIG.offset, 0)
    write(transport, Register.CONTROL.offset, Control.START)
    assert read(transport, Register.STATUS.offset, 2) == [Fault.CONFIG_MISMATCH << 8 | Status.FAULT, 4]


def test_other_cores_have_no_entry(transport):
    write(transport, Register.ENTRY.offset, 4)
    assert read(transport, Register.ENTRY.offset) == [0]
    assert read(transport, Register.STATUS.offset) == [0]


def test_a_start_with_a_clear_runs_and_interrupts_are_acknowledged(transport):
    write(transport, Register.CONTROL.offset, Control.START)
    assert read(transport, Register.IRQ_ENABLE.offset, 2) == [Interrupt.DONE | Interrupt.FAULT, Interrupt.FAULT]
    write(transport, Register.PROGRAM_CONFIG.offset, CONFIG.hash32)
    write(transport, Register.CONTROL.offset, Control.START)
    assert read(transport, Register.IRQ_STATUS.offset) == [Interrupt.FAULT | Interrupt.REFUSED]
    write(transport, Register.CONTROL.offset, Control.START | Control.CLEAR)
    assert read(transport, Register.STATUS.offset) == [Status.DONE]
    for _ in range(2):
        assert read(transport, Register.IRQ_STATUS.offset) == [Interrupt.DONE]
        write(transport, Register.IRQ_STATUS.offset, Interrupt.DONE)
        assert read(transport, Register.IRQ_STATUS.offset) == [0]
        write(transport, Register.CONTROL.offset, Control.START)


@pytest.mark.parametrize("region", WINDOWS, ids=lambda region: region.name)
def test_every_word_of_a_window_keeps_its_beats(transport, region):
    beats, last = region_beats(CONFIG, region), region_depth(CONFIG, region) - 1
    values = np.random.default_rng(region).integers(0, 1 << 32, (2, beats))
    if region is Region.ACTIVATIONS:
        values &= 0xFFFF  # 4 lanes of 4 bits
    for word, row in ((0, values[0]), (last, values[1])):
        write(transport, region_address(CONFIG, region, word), *row)
    for word, row in ((0, values[0]), (last, values[1])):
        assert read(transport, region_address(CONFIG, region, word), beats) == row.tolist()


def test_a_burst_passes_over_padding_beats(transport):
    write(transport, region_address(CONFIG, Region.WEIGHTS, 2), *range(1, 14))
    assert read(transport, region_address(CONFIG, Region.WEIGHTS, 2), 5) == [1, 2, 3, 4, 5]
    assert read(transport, region_address(CONFIG, Region.WEIGHTS, 3), 5) == [9, 10, 11, 12, 13]
    assert read(transport, region_address(CONFIG, Region.WEIGHTS, 2, 3), 4) == [4, 5, 0, 0]


def test_a_burst_may_start_and_end_within_a_word(transport):
    write(transport, region_address(CONFIG, Region.WEIGHTS, 1), *range(1, 6))
    write(transport, region_address(CONFIG, Region.WEIGHTS, 1, 1), 20, 30)
    assert read(transport, region_address(CONFIG, Region.WEIGHTS, 1), 5) == [1, 20, 30, 4, 5]


@pytest.mark.parametrize(
    ("address", "count", "message"),
    [
        (2, 1, "address 0x2 is not an aligned word of a region"),
        (13 << 22, 1, "address 0x3400000 is not an aligned word of a region"),
        (Register.DAMAGE.offset, 2, "2 words from address 0x5c reach beyond REGISTERS"),
        (region_address(CONFIG, Region.TAPS, 255), 2, "2 words from address 0xc003fc reach beyond TAPS"),
    ],
)
def test_accesses_outside_a_region_are_refused(transport, address, count, message):
    with pytest.raises(TransportError, match=f"^{message}$"):
        read(transport, address, count)
    with pytest.raises(TransportError, match=f"^{message}$"):
        write(transport, address, *range(count))


def test_what_cannot_be_written_is_named(transport):
    with pytest.raises(TransportError, match="register STATUS cannot be written"):
        write(transport, Register.STATUS.offset, 1)
    with pytest.raises(TransportError, match="CHECKSUMS cannot be written"):
        write(transport, region_address(CONFIG, Region.CHECKSUMS), 1)
