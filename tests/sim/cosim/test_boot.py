"""Cores that load their program from a flash by themselves, behind a bus and behind a UART."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.boot import BootState
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Register, Status
from narrows.sim.cosim.job import Job, Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.errors import ProgramMismatch
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError
from narrows.sw.runtime.boot import boot_image
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_chain, random_levels

SHAPE = {
    "rows": 1,
    "columns": 1,
    "lanes": 4,
    "rescalers": 1,
    "acc_bits": 32,
    "act_words": 1024,
    "weight_words": 4096,
    "param_words": 128,
    "blocks": 128,
    "instructions": 32,
    "boot": 1,
    "flash_offset": 0x20000,
    "flash_divisor": 2,
}
AXI = AcceleratorConfig(**SHAPE)
UART = AcceleratorConfig(host="uart", uart_divisor=4, frame_bytes=1024, **SHAPE)
ICE40 = AcceleratorConfig(host="bare", fabric="ice40", **SHAPE)


def program_and_levels(config: AcceleratorConfig, seed: int) -> tuple[Program, NDArray[np.int64]]:
    program = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 2), config)
    return program, random_levels(program.graph, np.random.default_rng(seed))[np.newaxis]


def run(name: str, seed: int, config: AcceleratorConfig, flash: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A job of this file on a core with something in its flash, and what the golden model says."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    # a program of a core without boot: none depends on it
    program, levels = program_and_levels(dataclasses.replace(config, boot=0, flash_offset=0, flash_divisor=0), seed)
    result = simulate(
        CoreVerilog(config),
        f"test_boot:{name}",
        arrays={"levels": levels},
        files=lambda folder: program.save(folder / "program.nrw"),
        flash=flash or boot_image(program, config),
        flash_offset=config.flash_offset,
    )
    golden = GoldenModel(program.graph, config).run(levels)
    return result, {name: golden[name][0] for name in program.graph.output_tensors}


async def status(transport: Any) -> tuple[int, int]:
    first = Register.STATUS.offset
    words = await transport.read(first, (Register.BOOT.offset - first) // 4 + 1)
    return int(words[0]), int(words[-1])


async def attaches(transport: Any, job: Job, progress: Progress) -> Any:
    """Answers without a load; what a second attach says once another program was there."""
    program = Program.load(job.folder / "program.nrw")
    early, boot = await status(transport)
    driver = Driver(transport, program.config)
    await driver.attach(program)
    cycles = transport.cycles
    outputs = (await driver.infer(job.arrays["levels"][0])).outputs
    await driver.attach(program)
    for name, levels in (await driver.infer(job.arrays["levels"][0])).outputs.items():
        np.testing.assert_array_equal(levels, outputs[name])
    await driver.load(program)
    later = dict((await driver.infer(job.arrays["levels"][0])).outputs)
    for name, levels in later.items():
        np.testing.assert_array_equal(levels, outputs[name])
    with pytest.raises(ProgramMismatch, match="a host has loaded another one since"):
        await driver.attach(program)
    return outputs, {"busy": early & Status.BUSY, "boot": boot & 0xFF, "cycles": cycles}


@pytest.mark.parametrize("config", [AXI, UART, ICE40], ids=["axi", "uart", "ice40"])
def test_a_core_boots_and_answers_as_the_golden_model(
    config: AcceleratorConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, expected = run("attaches", 1, config, b"", monkeypatch)
    for name, levels in expected.items():
        np.testing.assert_array_equal(result.arrays[name], levels)
    assert (result.values["busy"], result.values["boot"]) == (Status.BUSY, BootState.BOOTING)
