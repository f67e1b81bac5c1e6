"""Frames on simulated cores: what the core lays out by itself, while the next frame comes, gives what words gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frame_batch import check_frames
from frame_cores import FRAME_CORE
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Control, Region, Register, Status, region_address
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError
from numpy.typing import NDArray
from program_batch import check_programs, random_program
from random_graphs import random_levels

FRAMES, SERIAL_FRAMES = 12, 3
HOSTS: list[tuple[dict[str, Any], dict[str, float]]] = [
    ({"host": "axi"}, {"stall": 150}),
    ({"host": "wishbone"}, {"stall": 100}),
    ({"host": "bare"}, {}),
    ({"host": "uart"}, {"noise": 2e-6}),
    ({"host": "spi", "fabric": "ice40"}, {"noise": 1e-6}),
    ({"host": "axi", "backing": "axi4"}, {}),
]


@pytest.mark.parametrize(("changes", "host"), HOSTS, ids=["-".join(c.values()) for c, _ in HOSTS])
def test_frames_in_a_row_give_what_the_golden_model_gives(changes: dict[str, Any], host: dict[str, float]) -> None:
    config = AcceleratorConfig(**FRAME_CORE | changes)
    check_frames(config, seeds=(3, 4), frames=SERIAL_FRAMES if config.is_serial else FRAMES, host=host)


@pytest.mark.parametrize("base", ["int3", "dybit2"])
def test_frames_of_other_formats_agree_with_both_models(base: str) -> None:
    config = AcceleratorConfig(**FRAME_CORE | {"base": base})
    reports = check_programs(config, [random_program(config, seed, 2) for seed in range(3)])
    assert [report["differences"] for report in reports] == [[]] * 3


async def interrupted(
    transport: Transport, program: Program, levels: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.int64]], dict[str, int]]:
    """What a host may do while a frame is laid out, and what it may not: outputs at the end, and STATUS on the way."""
    driver = Driver(transport, program.config)
    await driver.load(program)
    found: dict[str, int] = {}
    go = np.array([Control.FEED | Control.START], dtype=np.uint32)

    async def status() -> int:
        return int((await transport.read(Register.STATUS.offset, 1))[0])

    async def clear() -> None:
        await transport.write(Register.CONTROL.offset, np.array([Control.CLEAR], dtype=np.uint32))
        while await status() & Status.BUSY:
            pass

    frame = region_address(program.config, Region.FRAME)
    await driver.infer(levels[0])
    await transport.write(Register.CONTROL.offset, go)
    found["busy"] = await status()
    await clear()
    found["given up"] = await status()
    await transport.write(Register.CONTROL.offset, np.array([Control.FEED], dtype=np.uint32))
    while await status() & Status.BUSY:
        pass
    found["laid out"] = await status()
    await transport.write(Register.CONTROL.offset, go)
    try:
        await transport.write(region_address(program.config, Region.ACTIVATIONS), np.zeros(1, dtype=np.uint32))
        await status()
    except TransportError as error:
        found["written"] = int("refused" in str(error))
    await transport.wait(100_000)
    found["spoilt"] = await status()
    await clear()
    await transport.write(Register.CONTROL.offset, go)
    await transport.write(frame, np.zeros(4, dtype=np.uint32))
    await transport.write(Register.CONTROL.offset, go)
    await transport.wait(100_000)
    found["asked twice"] = await status()
    outputs = (await driver.infer(levels[1])).outputs
    return outputs, found


@pytest.mark.parametrize("host", ["axi", "bare"])
def test_a_frame_under_way_takes_the_next_one_and_nothing_else(host: str) -> None:
    config = AcceleratorConfig(**FRAME_CORE | {"host": host})
    program, _ = random_program(config, 4, 2)
    rng = np.random.default_rng(9)
    levels = np.array([random_levels(program.graph, rng) for _ in range(2)])
    outputs, found = simulate(CoreVerilog(config), lambda core: interrupted(core, program, levels)).result
    assert found["busy"] & 0xFF == Status.BUSY
    assert found["given up"] == Status.DONE, "of the run before"
    assert found["laid out"] == Status.DONE
    assert found["written"] == 1
    assert found["spoilt"] & 0xFF == Status.FAULT | Status.REFUSED
    assert found["spoilt"] >> 8 == 5, "HOST_ACCESS"
    assert found["asked twice"] == Status.DONE | Status.REFUSED
    golden = GoldenModel(program.graph, config).run(levels[1:])
    for name in program.graph.output_tensors:
        np.testing.assert_array_equal(outputs[name], golden[name][0])
