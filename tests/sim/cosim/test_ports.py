"""Cores with Wishbone, bare port, UART or SPI under the ordinary driver: stalls, noise, losses, and who goes away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import numpy as np
import pytest
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.link import Command
from narrows.hw.spec.registers import Control, Register
from narrows.sim.cosim.serial_player import CosimSerialTransport, CosimSpiBus
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError
from narrows.sw.runtime.serial_frames import encode_request
from narrows.sw.runtime.serial_line import SerialLine
from narrows.sw.runtime.serial_transport import SerialTransport
from numpy.typing import NDArray
from program_batch import check_programs
from random_graphs import GraphBuilder, random_chain, random_levels

SHAPE = {
    "rows": 1,
    "columns": 1,
    "lanes": 4,
    "rescalers": 1,
    "acc_bits": 32,
    "rescale_bits": 4,
    "act_words": 1024,
    "weight_words": 4096,
    "param_words": 128,
    "blocks": 128,
    "instructions": 32,
}
UART = AcceleratorConfig(host="uart", uart_divisor=4, **SHAPE)
SPI = AcceleratorConfig(host="spi", **SHAPE)


def program_and_levels(config: AcceleratorConfig, seed: int) -> tuple[Program, NDArray[np.int64]]:
    program = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 2), config)
    return program, random_levels(program.graph, np.random.default_rng(seed))[np.newaxis]


@pytest.mark.parametrize("stall", [0, 150])
@pytest.mark.parametrize("host", ["wishbone", "bare"])
def test_programs_over_a_bus_agree_with_both_models(host: str, stall: int) -> None:
    config = AcceleratorConfig(host=host, **SHAPE)
    programs = [program_and_levels(config, seed) for seed in range(4)]
    reports = check_programs(config, programs, host={"stall": stall})
    assert [report["differences"] for report in reports] == [[]] * len(programs)


def outputs_of(program: Program, levels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    golden = GoldenModel(program.graph, program.config).run(levels)
    return {name: golden[name][0] for name in program.graph.output_tensors}


class LossyLine(SerialLine):
    """A line that changes, drops and inserts bytes in both directions."""

    def __init__(self, line: SerialLine, rng: np.random.Generator, share: float) -> None:
        self._line, self._rng, self._share = line, rng, share

    def _harm(self, data: bytes) -> bytes:
        result = bytearray()
        for byte in data:
            kind = self._rng.integers(3) if self._rng.random() < self._share else None
            result += (
                bytes([byte ^ 1 << int(self._rng.integers(8))]) if kind == 0 else b"" if kind == 1 else bytes([byte])
            )
            result += self._rng.bytes(1) if kind == 2 else b""
        return bytes(result)

    async def write(self, data: bytes) -> None:
        await self._line.write(self._harm(data))

    async def read(self, count: int, timeout_bits: int) -> bytes:
        return self._harm(await self._line.read(count, timeout_bits))


async def lossy(transport: CosimSerialTransport) -> SerialTransport:
    """A line that harms one byte of 1,000 and one cycle of 200,000."""
    transport.bench.set_noise(5e-6)
    return await SerialTransport.open(LossyLine(transport.line, np.random.default_rng(8), 1e-3))


async def harmed(transport: CosimSerialTransport) -> SerialTransport:
    """SPI that loses a pulse in 20,000 and turns a cycle in 100,000 over."""
    transport.bench.set_noise(1e-5)
    transport.bench.set_loss(5e-5)
    return await transport.link()


@pytest.mark.parametrize(("config", "connect", "repeats"), [(UART, lossy, 5), (SPI, harmed, 3)], ids=["uart", "spi"])
def test_no_loss_on_the_line_reaches_the_result(
    config: AcceleratorConfig, connect: Callable[[CosimSerialTransport], Awaitable[SerialTransport]], repeats: int
) -> None:
    program, levels = program_and_levels(config, 1)

    async def run_three_times(transport: CosimSerialTransport) -> tuple[list[dict[str, NDArray[np.int64]]], int]:
        link = await connect(transport)
        driver = Driver(link, program.config)
        results = []
        for _ in range(3):
            await driver.load(program)
            results.append((await driver.infer(levels[0])).outputs)
        return results, link.repeated

    results, repeated = simulate(CoreVerilog(config), run_three_times).result
    for output, expected in outputs_of(program, levels).items():
        np.testing.assert_array_equal([result[output] for result in results], [expected] * 3)
    assert repeated >= repeats


CUT_SHORT = encode_request(Command.WRITE, sequence=77, address=0x10, words=np.arange(90, dtype=np.uint32))[:200]


async def leaves_on_a_uart(transport: CosimSerialTransport) -> None:
    """In mid-frame."""
    await transport.line.write(CUT_SHORT)


async def leaves_on_spi(transport: CosimSerialTransport) -> None:
    """In mid-frame, then in mid-reply."""
    bus = CosimSpiBus(transport.bench)
    await bus.exchange(CUT_SHORT, 0)
    await bus.exchange(encode_request(Command.READ, sequence=78, address=0x10, count=4), 5)


class Gone(NamedTuple):
    """Outputs of the last host, what the one before was told, and how often that repeated requests."""

    outputs: dict[str, NDArray[np.int64]]
    noticed: str
    repeated: int


async def comes_and_goes(transport: CosimSerialTransport, program: Program, sample: NDArray[np.int64]) -> Gone:
    """A host that leaves, another that takes over, and a core that is reset in mid-run."""
    first = await SerialTransport.open(transport.line)
    await Driver(first, program.config).load(program)
    await (leaves_on_spi if program.config.host == "spi" else leaves_on_a_uart)(transport)

    second = await SerialTransport.open(transport.line, sequence=40)
    driver = Driver(second, program.config)
    await driver.load(program)
    await driver.infer(sample)

    await second.write(Register.CONTROL.offset, np.array([Control.START], dtype=np.uint32))
    transport.bench.reset()
    noticed = ""
    try:
        await second.wait(1000)
    except TransportError as error:
        noticed = str(error)

    third = await SerialTransport.open(transport.line)
    driver = Driver(third, program.config)
    await driver.load(program)
    return Gone((await driver.infer(sample)).outputs, noticed, second.repeated)


@pytest.mark.parametrize("config", [UART, SPI], ids=["uart", "spi"])
def test_hosts_and_cores_that_go_away_come_back(config: AcceleratorConfig) -> None:
    program, levels = program_and_levels(config, 2)
    gone = simulate(CoreVerilog(config), lambda transport: comes_and_goes(transport, program, levels[0])).result
    for name, expected in outputs_of(program, levels).items():
        np.testing.assert_array_equal(gone.outputs[name], expected)
    assert gone.noticed == "the core was reset: open the link and load the program again"
    assert gone.repeated == 0, "the core has given up what the first host left"


@pytest.mark.parametrize("config", [UART, SPI], ids=["uart", "spi"])
def test_programs_over_a_serial_line_agree_with_both_models(config: AcceleratorConfig) -> None:
    programs = [program_and_levels(config, seed) for seed in range(2)]
    reports = check_programs(config, programs)
    assert [report["differences"] for report in reports] == [[]] * len(programs)
