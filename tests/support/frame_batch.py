"""Frames on a simulated core, written by the host or brought by a stream, against golden model and ISA model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Stream
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.program import Program
from narrows.sw.runtime import Driver
from narrows.sw.runtime.feed import feed_of
from narrows.sw.runtime.samples import run_samples
from narrows.sw.runtime.serving import Serving, serving_of
from narrows.sw.runtime.transport import run_sync
from numpy.typing import NDArray
from program_batch import random_program
from random_graphs import random_levels

__all__ = ["check_frames", "check_streams"]

_TIMEOUT = 2_000_000


def check_frames(
    config: AcceleratorConfig, *, seeds: Sequence[int], frames: int, host: Mapping[str, float] | None = None
) -> int:
    """Run so many frames of each random program, each frame sent while the one before runs, and assert that all outputs
    are the golden model's; ``host`` are the troubles of its port (`CosimTransport.set_host` and the like).

    Returns
    -------
    int
        Cycles simulated.
    """
    programs = [random_program(config, seed, 2)[0] for seed in seeds]
    assert all(feed_of(program, config) is not None for program in programs)
    samples = [
        np.array([random_levels(program.graph, np.random.default_rng((7, number))) for number in range(frames)])
        for program in programs
    ]

    async def in_a_row(transport: Any) -> list[dict[str, NDArray[np.int64]]]:
        if host:
            await transport.set_host(**host)
        cases = zip(programs, samples, strict=True)
        return [(await run_samples(transport, *case, counted=1)).outputs for case in cases]

    done = simulate(CoreVerilog(config), in_a_row)
    for program, levels, outputs in zip(programs, samples, done.result, strict=True):
        golden = GoldenModel(program.graph, config).run(levels)
        for name in program.graph.output_tensors:
            np.testing.assert_array_equal(outputs[name], golden[name])
    return done.cycles


def check_streams(
    config: AcceleratorConfig,
    *,
    seed: int,
    frames: int,
    kind: AnswerKind | None = None,
    wrong: float = 0.0,
    stalls: tuple[int, int] = (0, 0),
    host_stall: int = 0,
) -> dict[str, int]:
    """Serve so many frames of a random program, a share of them too short or too long, and assert that every answer is
    the ISA model's, in order, and that of a frame of the right length the golden model's.

    Returns
    -------
    dict
        ``cycles`` simulated, ``answers``, and how many of them were ``errors``.
    """
    rng = np.random.default_rng((seed, frames))
    program, _ = random_program(config, seed, 2)
    serving = serving_of(program, config, kind, tensor=program.graph.output_tensors[0])
    levels = np.array([random_levels(program.graph, rng) for _ in range(frames)])
    sent = [serving.frame(sample) for sample in levels]
    spoilt = rng.random(frames) < wrong
    for number in np.flatnonzero(spoilt):
        size = int(rng.integers(1, 2 * len(sent[number]) + 2))
        sent[number] = (sent[number] * 3)[: size + (size == len(sent[number]))]
    model = IsaTransport(config)
    driver = Driver(model, config)
    run_sync(driver.load(program))
    run_sync(driver.serve(serving))
    right = [model.machine.serve(frame) for frame in sent]
    golden = GoldenModel(program.graph, config).run(levels)[program.graph.output_tensors[0]]
    for number in np.flatnonzero(~spoilt):
        answer, levels_right = right[number], golden[number]
        assert answer is not None
        place = int(levels_right.transpose(1, 2, 0).argmax())
        np.testing.assert_array_equal(serving.given(answer), place if kind is AnswerKind.PLACE else levels_right)

    async def serve(transport: Any) -> _Served:
        if host_stall:
            await transport.set_host(stall=host_stall)
        return await _served(transport, program, serving, sent, stalls)

    done = simulate(CoreVerilog(config), serve)
    assert done.result.answers == right
    short = any(len(frame) < len(serving.frame(levels[0])) for frame in sent)
    long = any(len(frame) > len(serving.frame(levels[0])) for frame in sent)
    assert done.result.wrong == short << 8 | long << 9
    np.testing.assert_array_equal(done.result.after, golden[np.flatnonzero(~spoilt)[-1]])
    return {"cycles": done.cycles, "answers": len(right), "errors": int(spoilt.sum())}


class _Served(NamedTuple):
    """What a core answered to frames, what it said of them, and its output tensor afterwards."""

    answers: list[bytes | None]
    wrong: Stream
    after: NDArray[np.int64]


async def _served(
    transport: Any, program: Program, serving: Serving, sent: Sequence[bytes], stalls: tuple[int, int]
) -> _Served:
    """All frames through the streams."""
    driver = Driver(transport, program.config)
    await driver.load(program)
    await driver.serve(serving)
    await transport.set_streams(frames=stalls[0], answers=stalls[1])
    answers: list[bytes | None] = []
    for number, frame in enumerate(sent):
        await transport.send_frame(frame)
        if number % 64 == 63 or number == len(sent) - 1:
            missing = number + 1 - len(answers)
            answers += await transport.take_answers(missing, _TIMEOUT * missing)
    wrong = await driver.stop_serving()
    return _Served(answers, wrong, await driver.dump(program.graph.output_tensors[0]))
