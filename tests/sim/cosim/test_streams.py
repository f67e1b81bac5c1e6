"""Streams at simulated cores: every frame gets its answer, in order, whoever waits for whom, and whatever is broken."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from frame_batch import check_streams
from frame_cores import FRAME_CORE
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Control, Fault, Region, Register, Status, Stream, region_address
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError
from narrows.sw.runtime.serving import serving_of
from numpy.typing import NDArray
from program_batch import random_program
from random_graphs import random_levels


@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({}, {"seed": 3}),
        ({"host": "wishbone"}, {"seed": 4, "kind": AnswerKind.PLACE, "stalls": (100, 0)}),
        ({"host": "bare", "fabric": "ice40"}, {"seed": 3, "stalls": (0, 250), "kind": AnswerKind.WORDS}),
        ({"backing": "axi4"}, {"seed": 4, "stalls": (60, 60), "host_stall": 120}),
    ],
    ids=["axi", "wishbone", "bare-ice40", "axi-backing"],
)
def test_every_frame_is_answered_in_its_order(changes: dict[str, Any], arguments: dict[str, Any]) -> None:
    found = check_streams(
        AcceleratorConfig(**FRAME_CORE | {"streams": 1} | changes), frames=24, wrong=0.25, **arguments
    )
    assert found["answers"] == 24
    assert found["errors"] > 0


class Meddled(NamedTuple):
    """What came of each frame, None of an error; the host's own outputs; and registers on the way."""

    answers: list[NDArray[np.int64] | None]
    outputs: NDArray[np.int64]
    found: dict[str, int]


async def meddling(streams: Any, program: Program, levels: NDArray[np.int64]) -> Meddled:
    """What a host does beside streams that it should not."""
    transport: Transport = streams
    driver, serving = Driver(transport, program.config), serving_of(program, program.config)
    answers: list[Any] = []
    found: dict[str, int] = {}

    async def write(address: int, value: int) -> None:
        await transport.write(address, np.array([value], dtype=np.uint32))

    async def read(register: Register) -> int:
        return int((await transport.read(register.offset, 1))[0])

    async def until_busy() -> None:
        while not await read(Register.STATUS) & Status.BUSY:
            pass

    async def answered() -> None:
        answers.extend(await streams.take_answers(1, 1_000_000))

    await driver.load(program)
    found["there"] = await read(Register.STREAM)
    await driver.serve(serving)
    frames = [serving.frame(sample) for sample in levels]
    await streams.send_frame(frames[0])
    await until_busy()
    await write(Register.CONTROL.offset, Control.CLEAR)
    await answered()
    found["given up"] = await read(Register.STREAM)
    await streams.send_frame(frames[1])
    await answered()
    watchdog = await read(Register.WATCHDOG)
    await write(Register.WATCHDOG.offset, 5)
    await driver.serve(serving)  # forgets what went wrong
    found["forgotten"] = await read(Register.STREAM)
    await streams.send_frame(frames[2])
    await answered()
    found["fault"] = await read(Register.STATUS)
    await write(Register.WATCHDOG.offset, watchdog)
    await streams.send_frame(frames[2])
    await answered()
    await write(Register.CONTROL.offset, Control.START)
    found["start"] = await read(Register.STATUS)
    await streams.send_frame(frames[3])
    await until_busy()
    try:
        await write(region_address(program.config, Region.ACTIVATIONS), 1)
        await read(Register.STATUS)
    except TransportError as error:
        found["written"] = int("refused" in str(error))
    await answered()
    await write(region_address(program.config, Region.FRAME), 0x55AA55AA)
    await streams.send_frame(frames[3])
    await answered()
    await streams.send_frame(frames[0][:-1], ends=False)
    found["wrong"] = await driver.stop_serving()
    outputs = (await driver.infer(levels[4])).outputs
    await driver.serve(serving, counted=True)
    await streams.send_frame(frames[0][:-1], ends=False, aborts=True)
    await streams.send_frame(frames[5] + frames[6], ends=False, aborts=True)
    answers.extend(await streams.take_answers(3, 1_000_000))
    await driver.load(program)  # closes the streams by itself
    found["closed"] = await read(Register.STREAM)
    given = [None if answer is None else serving.given(answer) for answer in answers]
    return Meddled(given, outputs[program.graph.output_tensors[0]], {name: int(value) for name, value in found.items()})


def test_a_host_that_meddles_spoils_the_frame_under_way_and_no_other() -> None:
    config = AcceleratorConfig(**FRAME_CORE | {"streams": 1})
    program, _ = random_program(config, 3, 2)
    rng = np.random.default_rng(11)
    levels = np.array([random_levels(program.graph, rng) for _ in range(7)])
    result = simulate(CoreVerilog(config), lambda transport: meddling(transport, program, levels)).result
    golden = GoldenModel(program.graph, config).run(levels)[program.graph.output_tensors[0]]
    right: list[int | None] = [None, 1, None, 2, None, 3, None, 5, 6]
    for number, (answer, sample) in enumerate(zip(result.answers, right, strict=True)):
        if sample is None:
            assert answer is None, number
        else:
            np.testing.assert_array_equal(answer, golden[sample], err_msg=f"{number}")
    np.testing.assert_array_equal(result.outputs, golden[4])
    found = result.found
    assert found.pop("fault") == Status.FAULT | Fault.WATCHDOG << 8
    assert found.pop("start") & Status.REFUSED
    assert found == {
        "there": Stream.PRESENT,
        "given up": Stream.PRESENT | Stream.ENABLE | Stream.FAILED,
        "forgotten": Stream.PRESENT | Stream.ENABLE,
        "written": 1,
        "wrong": Stream.FAILED,
        "closed": Stream.PRESENT,
    }
