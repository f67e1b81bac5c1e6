"""A backing store behind cores with a serial link: the host fills and reads it through the core."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import REGION_BITS, STORE_REGION, Control, Register, Status
from narrows.sim.cosim.serial_player import CosimSerialTransport
from narrows.sim.cosim.session import simulate
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import timeline
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError
from numpy.typing import NDArray
from program_batch import check_programs
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_levels

BACKED = dataclasses.replace(
    CONFIGS["square"],
    backing="axi4",
    bus_bits=32,
    host="uart",
    uart_divisor=4,
    instructions=1024,
    act_words=256,
    weight_words=128,
    param_words=16,
)


def external_programs(
    config: AcceleratorConfig, count: int, cycles: int = 0
) -> list[tuple[Program, NDArray[np.int64]]]:
    """Programs that keep tensors outside and take so many cycles at least, each with a sample."""
    found, seed = [], 0
    while len(found) < count:
        rng = np.random.default_rng(seed := seed + 1)
        try:
            program = compile_graph(random_chain(GraphBuilder(config, rng), 3), config)
        except (CapacityError, CertificateError):
            continue
        if program.external and timeline(program).cycles >= cycles:
            found.append((program, random_levels(program.graph, rng)[np.newaxis]))
    return found


@pytest.mark.parametrize(("host", "bits"), [("uart", 32), ("spi", 64)])
def test_programs_whose_weights_come_over_the_link_are_exact(host: str, bits: int) -> None:
    config = dataclasses.replace(BACKED, host=host, bus_bits=bits)
    reports = check_programs(config, external_programs(config, 2))
    assert [report["differences"] for report in reports] == [[], []]


def test_an_access_that_meets_a_run_is_refused_and_the_run_goes_on() -> None:
    [(program, levels)] = external_programs(BACKED, 1, cycles=8000)  # of the link's frames some
    met = simulate(CoreVerilog(BACKED), lambda transport: meet(transport, program, levels[0])).result
    assert met.refused == ["write", "read"] and met.during & Status.BUSY
    assert met.after & (Status.BUSY | Status.DONE | Status.FAULT) == Status.DONE
    assert met.after & Status.REFUSED
    assert met.store == [0x1234ABCD]
    for name, output in met.first.items():
        np.testing.assert_array_equal(met.second[name], output, err_msg=name)


class Met(NamedTuple):
    """What was refused, STATUS during and after the run, a word of the store; and outputs of both runs."""

    refused: list[str]
    during: int
    after: int
    store: list[int]
    first: dict[str, NDArray[np.int64]]
    second: dict[str, NDArray[np.int64]]


async def meet(transport: CosimSerialTransport, program: Program, sample: NDArray[np.int64]) -> Met:
    """A run that takes longer than a frame of the link, and accesses meanwhile."""
    link = await transport.link()
    driver = Driver(link, program.config)
    await driver.load(program)
    first = (await driver.infer(sample)).outputs
    beyond = program.window_bytes
    await link.write_backing(beyond, np.array([0x1234ABCD], dtype=np.uint32))
    window = STORE_REGION << REGION_BITS
    refused, one = [], np.ones(1, dtype=np.uint32)
    await link.write(Register.CONTROL.offset, np.array([Control.START], dtype=np.uint32))
    during = int((await link.read(Register.STATUS.offset, 1))[0])
    for name, access in (("write", link.write(window + beyond, one)), ("read", link.read(window + beyond, 1))):
        try:
            await access
        except TransportError:
            refused.append(name)
    await link.wait(1 << 20)
    after = int((await link.read(Register.STATUS.offset, 1))[0])
    second = {name: await driver.dump(name) for name in first}
    store = (await link.read_backing(beyond, 1)).tolist()
    return Met(refused, during, after, store, first, second)
