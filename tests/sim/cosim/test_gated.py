"""Gated cores whose second clock leaves out every edge that it may: the same bits in the same cycles."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from frame_batch import check_streams
from frame_cores import FRAME_CORE
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Control, Fault, Interrupt, Region, Register, Status, region_address
from narrows.sim.cosim.saif import read_saif
from narrows.sim.cosim.session import simulate
from narrows.sim.cosim.simulators import ACTIVITY_FILE, ACTIVITY_SIMULATOR
from narrows.sw.compile import compile_graph
from narrows.sw.runtime import Driver, TransportError
from narrows.sw.runtime.boot import boot_image
from random_graphs import GraphBuilder, random_chain, random_levels

CORE = AcceleratorConfig(
    **{"rows": 1, "columns": 1, "lanes": 4, "rescalers": 1, "acc_bits": 32, "act_words": 1024, "weight_words": 4096},
    **{"param_words": 128, "blocks": 128, "instructions": 32, "uart_divisor": 4},
)
BOOT = {"boot": 1, "flash_offset": 0x20000, "flash_divisor": 2}


async def dealings(transport: Any, program: Any, sample: Any, seed: int) -> list[Any]:
    """A host that comes at any moment: runs, faults, CLEAR, watchdog, acknowledged interrupts, and all that it read."""
    rng, seen = np.random.default_rng(seed), []
    driver = Driver(transport, program.config)
    pause = getattr(transport, "pause", None)

    async def rest() -> None:
        if pause is not None:
            await pause(int(rng.choice([0, 1, int(rng.integers(2, 70)), int(rng.integers(60, 300))])))

    async def read(register: Register) -> int:
        await rest()
        seen.append(int((await transport.read(register.offset, 1))[0]))
        return seen[-1]

    async def write(address: int, value: int) -> None:
        await rest()
        try:
            await transport.write(address, np.array([value], dtype=np.uint32))
        except TransportError as refused:
            seen.append(str(refused))

    async def until(flag: Status) -> None:
        while not await read(Register.STATUS) & flag:
            pass

    await driver.load(program)
    seen.append({name: levels.tolist() for name, levels in (await driver.infer(sample)).outputs.items()})
    config, watchdog = program.config.hash32, int((await transport.read(Register.WATCHDOG.offset, 1))[0])
    for _ in range(6):
        what = rng.integers(6)
        if what == 0:  # back to back
            for word in range(int(rng.integers(1, 6))):
                await transport.write(region_address(program.config, Region.TAPS) + 4 * word, np.array([0], np.uint32))
        elif what == 1:
            await write(Register.PROGRAM_CONFIG.offset, config ^ 1)
            await write(Register.CONTROL.offset, Control.START)
            await until(Status.FAULT)
            assert seen[-1] >> 8 & 0xFF == Fault.CONFIG_MISMATCH
            await write(Register.PROGRAM_CONFIG.offset, config)
        elif what == 2:
            await write(Register.WATCHDOG.offset, 20)
            await write(Register.CONTROL.offset, Control.START)
            await until(Status.FAULT)
            await write(Register.WATCHDOG.offset, watchdog)
        elif what == 3:
            await write(Register.CONTROL.offset, Control.START)
            await write(Register.CONTROL.offset, Control.CLEAR)
        elif what == 4 and not program.config.is_serial:
            await write(Register.IRQ_STATUS.offset, Interrupt.DONE | Interrupt.FAULT)
        else:
            await read(Register.CYCLES)
        await write(Register.CONTROL.offset, Control.CLEAR)
        await driver.load(program)
        await rest()
        seen.append({name: levels.tolist() for name, levels in (await driver.infer(sample)).outputs.items()})
    return seen


def dealt(config: AcceleratorConfig, seed: int) -> tuple[list[Any], int]:
    """What the host saw, and the cycles that it took."""
    plain = dataclasses.replace(config, boot=0, flash_offset=0, flash_divisor=0)
    program = compile_graph(random_chain(GraphBuilder(plain, np.random.default_rng(seed)), 2), plain)
    sample = random_levels(program.graph, np.random.default_rng(seed))
    done = simulate(
        CoreVerilog(config),
        lambda transport: dealings(transport, program, sample, seed),
        flash=boot_image(program, config) if config.boot else b"",
        flash_offset=config.flash_offset,
    )
    return done.result, done.cycles


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"host": "bare", "fabric": "ice40"},
        {"host": "wishbone", "protection": "secded"},
        {"host": "uart", "fabric": "xilinx", **BOOT},
        {"host": "spi", "frame_bytes": 256},
        {"host": "uart", "backing": "axi4"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())) or "axi",
)
def test_a_host_cannot_tell_that_edges_are_left_out(changes: dict[str, Any]) -> None:
    config = dataclasses.replace(CORE, **changes)
    assert dealt(dataclasses.replace(config, gated=1), 5) == dealt(config, 5)


@pytest.mark.parametrize("stalls", [(0, 0), (254, 200)])
def test_streams_wake_a_core_with_their_first_byte(stalls: tuple[int, int]) -> None:
    cores = [AcceleratorConfig(**FRAME_CORE | {"streams": 1, "gated": gated}) for gated in (0, 1)]
    found = [check_streams(core, seed=3, frames=8, wrong=0.2, stalls=stalls, kind=AnswerKind.BYTES) for core in cores]
    assert found[0] == found[1]


def test_a_core_that_has_nothing_to_do_sees_no_edges(tmp_path: Any) -> None:
    async def waits(transport: Any) -> None:
        await transport.read(Register.MAGIC.offset, 1)
        await transport.pause(10_000)
        await transport.read(Register.MAGIC.offset, 1)

    config = dataclasses.replace(CORE, gated=1)
    simulate(CoreVerilog(config), waits, simulator=ACTIVITY_SIMULATOR, work_folder=tmp_path, waves=True)
    text = (tmp_path / ACTIVITY_FILE).read_text(encoding="utf-8")
    assert read_saif(tmp_path / ACTIVITY_FILE).duration >= 10_000 * 10_000
    changes = {line.split()[0].lstrip("("): int(line.split("TC ")[1].split(")")[0]) for line in _nets_of_bench(text)}
    assert changes["clk"] > 20_000
    assert changes["work_clk"] < 1_000


def _nets_of_bench(text: str) -> list[str]:
    """Lines of the top's own clocks in a switching activity file."""
    wanted = ("(clk ", "(work_clk ")
    found: dict[str, str] = {}
    for line in text.splitlines():
        for name in wanted:
            if line.strip().startswith(name):
                found.setdefault(name, line.strip())
    return list(found.values())
