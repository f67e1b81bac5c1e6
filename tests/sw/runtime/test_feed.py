"""Feed: a core with a frame memory gives what one without gives, from the bytes of a frame."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import REGION_BITS, Region
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import InputError
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, run_sync
from narrows.sw.runtime.feed import feed_of
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_chain, random_levels

PLAIN = AcceleratorConfig(act_words=8192, weight_words=4096, acc_bits=32, instructions=64)
FRAMES = dataclasses.replace(PLAIN, frame_bytes=2048)


class Watched(IsaTransport):
    """Counts words written, by region."""

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(config)
        self.written: dict[Region, int] = {}

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        region = Region(address >> REGION_BITS)
        self.written[region] = self.written.get(region, 0) + len(values)
        await super().write(address, values)


def program_of(seed: int, config: AcceleratorConfig = PLAIN) -> Program:
    return compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 2), config)


def outputs(transport: Any, program: Program, levels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    driver = Driver(transport, program.config)
    run_sync(driver.load(program))
    if isinstance(transport, Watched):
        transport.written.clear()
    return run_sync(driver.infer(levels)).outputs


@pytest.mark.parametrize("seed", range(12))
def test_a_frame_gives_what_words_give(seed: int) -> None:
    program = program_of(seed)
    levels = random_levels(program.graph, np.random.default_rng(seed))
    assert feed_of(program, FRAMES) is not None
    fed, laid = Watched(FRAMES), Watched(PLAIN)
    found, expected = outputs(fed, program, levels), outputs(laid, program, levels)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert fed.written == {Region.FRAME: -(-levels.size // 4), Region.REGISTERS: 1}
    assert Region.FRAME not in laid.written


def test_a_program_needs_not_know_whether_its_core_has_a_frame_memory() -> None:
    program = program_of(1, FRAMES)
    levels = random_levels(program.graph, np.random.default_rng(1))
    for config in (PLAIN, FRAMES):
        transport = Watched(config)
        outputs(transport, program, levels)
        assert (Region.FRAME in transport.written) == (config is FRAMES)


def test_a_frame_that_is_too_large_is_laid_out_by_the_host() -> None:
    program = program_of(4)
    config = dataclasses.replace(PLAIN, frame_bytes=64)
    levels = random_levels(program.graph, np.random.default_rng(2))
    assert levels.size > 64
    assert levels.size > 64
    assert feed_of(program, config) is None
    transport = Watched(config)
    outputs(transport, program, levels)
    assert Region.FRAME not in transport.written


def test_a_level_that_does_not_fit_is_refused_as_ever() -> None:
    program = program_of(3)
    levels = random_levels(program.graph, np.random.default_rng(3))
    levels.flat[0] = 30_000
    for config in (PLAIN, FRAMES):
        with pytest.raises(InputError, match="the input does not fit"):
            outputs(IsaTransport(config), program, levels)


def test_two_frames_take_turns() -> None:
    program = program_of(4)
    rng = np.random.default_rng(4)
    first, second = random_levels(program.graph, rng), random_levels(program.graph, rng)
    driver, plain = Driver(IsaTransport(FRAMES), PLAIN), Driver(IsaTransport(PLAIN), PLAIN)
    for one in (driver, plain):
        run_sync(one.load(program))
    for levels in (first, second, first, first, second):
        found, expected = run_sync(driver.infer(levels)), run_sync(plain.infer(levels))
        assert found.checksums == expected.checksums
        for name, values in expected.outputs.items():
            np.testing.assert_array_equal(found.outputs[name], values)


def test_the_following_frame_is_sent_once_while_the_core_runs() -> None:
    program = program_of(4)
    rng = np.random.default_rng(5)
    samples = [random_levels(program.graph, rng) for _ in range(4)]
    transport, plain = Watched(FRAMES), Driver(IsaTransport(PLAIN), PLAIN)
    driver = Driver(transport, PLAIN)
    run_sync(driver.load(program))
    run_sync(plain.load(program))
    transport.written.clear()
    for number, levels in enumerate(samples):
        following = samples[number + 1] if number + 1 < len(samples) else None
        found = run_sync(driver.answer(levels, following=following))
        for name, values in run_sync(plain.answer(levels)).items():
            np.testing.assert_array_equal(found[name], values)
    assert transport.written == {Region.FRAME: 4 * -(-samples[0].size // 4), Region.REGISTERS: 4}
    other = random_levels(program.graph, rng)
    run_sync(driver.infer(samples[0], following=samples[1]))
    run_sync(driver.run_until(0))  # takes the frame's place
    for levels in (other, samples[1]):
        assert run_sync(driver.infer(levels)).checksums == run_sync(plain.infer(levels)).checksums


def test_a_load_forgets_the_frame_that_was_sent_ahead() -> None:
    program = program_of(4)
    rng = np.random.default_rng(6)
    first, second = random_levels(program.graph, rng), random_levels(program.graph, rng)
    transport = Watched(FRAMES)
    driver = Driver(transport, PLAIN)
    run_sync(driver.load(program))
    run_sync(driver.infer(first, following=second))
    run_sync(driver.load(program))  # perhaps because the core was reset, which takes the frame's place from it
    transport.written.clear()
    run_sync(driver.infer(second))
    assert transport.written[Region.FRAME] == -(-second.size // 4)
