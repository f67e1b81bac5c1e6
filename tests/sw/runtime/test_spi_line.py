"""SpiLine under SerialTransport, over a played core: each request one selection, losses repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.link import Command, hello_words
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import Driver, TransportError, run_sync
from narrows.sw.runtime.serial_frames import asked_bytes, encode_request, reply_bytes
from narrows.sw.runtime.serial_transport import ATTEMPTS, SerialTransport
from narrows.sw.runtime.spi_line import SpiBus, SpiLine
from serial_core import SerialCore


class PlayedBus(SpiBus):
    """A bus with a `SerialCore`, which answers some bytes late; ``harm`` may change what goes either way."""

    def __init__(self, core: SerialCore, harm: Callable[[bytes], bytes] = bytes, late: int = 3) -> None:
        self.core, self.harm, self.late = core, harm, late
        self.selections: list[tuple[int, int]] = []

    async def exchange(self, out: bytes, count: int) -> bytes:
        self.selections.append((len(out), count))
        answer = bytes(self.late) + self.harm(self.core.take(self.harm(out)))
        self.core.silence()
        return (answer + bytes(count))[:count]


@pytest.fixture
def core(tiny_program: Any) -> SerialCore:
    return SerialCore(IsaTransport(tiny_program.config), hello_words(tiny_program.config))


async def infer(bus: SpiBus, program: Any, levels: Any) -> tuple[Any, SerialTransport]:
    transport = await SerialTransport.open(SpiLine(bus))
    driver = Driver(transport, program.config)
    await driver.load(program)
    return (await driver.infer(levels)).outputs["pooled"], transport


def expected(program: Any, levels: Any) -> Any:
    return GoldenModel(program.graph, program.config).run(levels[np.newaxis])["pooled"][0]


@pytest.mark.parametrize("late", [0, 1, 16])
def test_a_program_runs_with_one_selection_a_request(
    core: SerialCore, tiny_program: Any, tiny_levels: Any, late: int
) -> None:
    bus = PlayedBus(core, late=late)
    output, transport = run_sync(infer(bus, tiny_program, tiny_levels))
    np.testing.assert_array_equal(output, expected(tiny_program, tiny_levels))
    assert transport.repeated == 0
    assert all(count >= reply_bytes(0) for _, count in bus.selections)


def test_an_answer_later_than_the_host_waits_is_none(core: SerialCore) -> None:
    bus = PlayedBus(core, late=17)
    with pytest.raises(TransportError, match=f"no core answers on the serial line after {ATTEMPTS} tries"):
        run_sync(SerialTransport.open(SpiLine(bus)))
    assert len(bus.selections) == ATTEMPTS


@pytest.mark.parametrize("seed", range(3))
def test_harmed_bytes_cost_repeats_and_nothing_else(
    core: SerialCore, tiny_program: Any, tiny_levels: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)

    def harm(data: bytes) -> bytes:
        return bytes(byte ^ (1 << int(rng.integers(8)) if rng.random() < 1.5e-3 else 0) for byte in data)

    output, transport = run_sync(infer(PlayedBus(core, harm), tiny_program, tiny_levels))
    np.testing.assert_array_equal(output, expected(tiny_program, tiny_levels))
    assert transport.repeated > 0


def test_the_length_of_an_answer_is_known_from_its_request() -> None:
    words = np.zeros(9, dtype=np.uint32)
    assert asked_bytes(encode_request(Command.WRITE, sequence=1, words=words)) == reply_bytes(0)
    assert asked_bytes(encode_request(Command.READ, sequence=1, count=9)) == reply_bytes(9)
    assert asked_bytes(encode_request(Command.HELLO, sequence=1, count=6)) == reply_bytes(6)
