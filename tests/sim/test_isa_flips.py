"""Flipped bits in the ISA model: found where a core finds them, and the driver runs again."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import INSTRUCTION_WORDS
from narrows.hw.spec.protection import StoredBit
from narrows.hw.spec.registers import Fault, Region, Register, region_depth
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.errors import DamagedMemory
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, run_sync
from numpy.typing import NDArray
from program_batch import fitting_programs
from random_graphs import random_chain

PARITY = AcceleratorConfig(
    rows=2, columns=4, lanes=4, rescalers=2, act_words=1024, weight_words=1024, param_words=64, protection="parity"
)
SECDED = dataclasses.replace(PARITY, protection="secded")
LEVELS = NDArray[np.int64]


def _loaded(config: AcceleratorConfig) -> tuple[IsaTransport, Driver, Program, LEVELS]:
    """A random program of three layers on the model of a core, and a sample."""
    [(_, (program, levels))] = itertools.islice(fitting_programs(config, lambda build, _: random_chain(build, 3)), 1)
    transport = IsaTransport(config)
    driver = Driver(transport, config)
    run_sync(driver.load(program))
    return transport, driver, program, levels[0]


@pytest.mark.parametrize(
    ("region", "word"),
    [
        (Region.INSTRUCTIONS, INSTRUCTION_WORDS + 3),
        (Region.BLOCKS, 0),
        (Region.TAPS, 0),
        (Region.PARAMS, 0),
        (Region.WEIGHTS, 0),
    ],
)
def test_a_flip_stops_the_run_and_the_next_one_is_right(region: Region, word: int) -> None:
    transport, driver, _, sample = _loaded(PARITY)
    right = run_sync(driver.infer(sample)).outputs
    machine = transport.machine
    machine.flip(region, word, StoredBit(0, 2))
    machine.run()
    assert (machine.fault, machine.fault_index) == (Fault.MEMORY_ERROR, 1 if region is Region.INSTRUCTIONS else 0)
    assert run_sync(transport.read(Register.DAMAGE.offset, 1)).tolist() == [1 << region]
    machine.clear()
    outputs = run_sync(driver.infer(sample)).outputs
    assert driver.reruns == 1
    assert {name: levels.tolist() for name, levels in outputs.items()} == {
        name: levels.tolist() for name, levels in right.items()
    }


def test_a_flip_that_is_corrected_changes_nothing() -> None:
    transport, driver, _, sample = _loaded(SECDED)
    right = run_sync(driver.infer(sample))
    transport.machine.flip(Region.WEIGHTS, 0, StoredBit(0, 2))
    again = run_sync(driver.infer(sample))
    assert (driver.reruns, again.checksums) == (0, right.checksums)
    assert run_sync(transport.read(Register.DAMAGE.offset, 1)).tolist() == [1 << (16 + Region.WEIGHTS)]
    transport.machine.flip(Region.WEIGHTS, 0, StoredBit(0, 3))
    again = run_sync(driver.infer(sample))
    assert (driver.reruns, again.checksums) == (1, right.checksums)


def test_two_flips_that_parity_does_not_see_change_what_is_computed() -> None:
    transport, driver, _, sample = _loaded(PARITY)
    right = run_sync(driver.infer(sample))
    for place in (13, 14):  # of a bias
        transport.machine.flip(Region.PARAMS, 0, StoredBit(0, place))
    assert run_sync(driver.infer(sample)).checksums != right.checksums
    assert driver.reruns == 0


def test_a_flip_in_what_the_host_reads_is_a_fault() -> None:
    transport, driver, program, sample = _loaded(PARITY)
    run_sync(driver.infer(sample))
    output = program.graph.output_tensors[0]
    word = int(program.layouts[output].addresses()[0, 0, 0, 0]) % PARITY.act_words
    transport.machine.flip(Region.ACTIVATIONS, word, StoredBit(0, 0))
    run_sync(driver.dump(output))
    assert transport.machine.fault is Fault.MEMORY_ERROR
    assert not transport.machine.done


@pytest.mark.parametrize("region", [Region.WEIGHTS, Region.PARAMS, Region.ACTIVATIONS])
def test_a_flip_that_nothing_reads_stays_unseen(region: Region) -> None:
    transport, driver, _, sample = _loaded(PARITY)
    right = run_sync(driver.infer(sample))
    last = region_depth(PARITY, region) - 1
    transport.machine.flip(region, last, StoredBit(0, 0))
    again = run_sync(driver.infer(sample))
    assert (driver.reruns, again.checksums) == (0, right.checksums)
    assert transport.machine.flips


def test_what_is_written_is_sound_again() -> None:
    transport, driver, _, sample = _loaded(PARITY)
    machine = transport.machine
    machine.flip(Region.WEIGHTS, 5, StoredBit(0, 0))
    machine.write_words(Region.WEIGHTS, 5, machine.read_words(Region.WEIGHTS, 5, 1))
    assert not machine.flips
    run_sync(driver.infer(sample))
    assert driver.reruns == 0


def test_a_core_whose_bits_flip_in_every_run_is_given_up() -> None:
    transport, driver, _, sample = _loaded(PARITY)
    for _ in range(3):
        transport.machine.flip(Region.INSTRUCTIONS, 0, StoredBit(0, 0), before=0)
    with pytest.raises(DamagedMemory, match=r"MEMORY_ERROR at instruction 0 .*INSTRUCTIONS: .*in 3 runs in a row$"):
        run_sync(driver.infer(sample))
    assert driver.reruns == 2


def test_other_memories_have_no_check_bits() -> None:
    transport, *_ = _loaded(PARITY)
    with pytest.raises(ValueError, match="CHECKSUMS has no check bits"):
        transport.machine.flip(Region.CHECKSUMS, 0, StoredBit(0, 0))
