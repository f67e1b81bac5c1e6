"""Frames on a simulated core, written by the host or brought by a stream, against golden model and ISA model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.cosim.job import Job, Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport
from narrows.sw.runtime.feed import feed_of
from narrows.sw.runtime.samples import run_samples
from narrows.sw.runtime.serving import serving_of
from narrows.sw.runtime.transport import run_sync
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

    def save(folder: Path) -> None:
        for number, program in enumerate(programs):
            program.save(folder / f"{number}.nrw")

    result = simulate(
        CoreVerilog(config),
        f"{__name__}:in_a_row",
        arrays={f"{number}": levels for number, levels in enumerate(samples)},
        values={"count": len(programs), "host": host},
        files=save,
    )
    for number, (program, levels) in enumerate(zip(programs, samples, strict=True)):
        golden = GoldenModel(program.graph, config).run(levels)
        for name in program.graph.output_tensors:
            np.testing.assert_array_equal(result.arrays[f"{number}:{name}"], golden[name])
    return result.sim_cycles


async def in_a_row(transport: Transport, job: Job, progress: Progress) -> Any:
    """Every program with all its frames, each sent while the one before runs."""
    if job.values["host"]:
        await transport.set_host(**job.values["host"])  # type: ignore[attr-defined]
    outputs = {}
    for number in range(job.values["count"]):
        program = Program.load(job.folder / f"{number}.nrw")
        record = await run_samples(transport, program, job.arrays[f"{number}"], counted=1)
        outputs |= {f"{number}:{name}": values for name, values in record.outputs.items()}
    return outputs, {}


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
    result = simulate(
        CoreVerilog(config),
        f"{__name__}:served",
        arrays={"sent": np.frombuffer(b"".join(sent), dtype=np.uint8), "sizes": np.array([len(f) for f in sent])},
        values={"seed": seed, "kind": kind, "stalls": stalls, "host_stall": host_stall},
        files=lambda folder: program.save(folder / "0.nrw"),
    )
    given = result.arrays["given"].tobytes()
    ends = np.cumsum(result.arrays["counts"])
    found = [given[end - count : end] or None for end, count in zip(ends, result.arrays["counts"], strict=True)]
    assert found == right
    short = any(len(frame) < len(serving.frame(levels[0])) for frame in sent)
    long = any(len(frame) > len(serving.frame(levels[0])) for frame in sent)
    assert result.values["wrong"] == short << 8 | long << 9
    np.testing.assert_array_equal(result.arrays["after"], golden[np.flatnonzero(~spoilt)[-1]])
    return {"cycles": result.sim_cycles, "answers": len(found), "errors": int(spoilt.sum())}


async def served(transport: Transport, job: Job, progress: Progress) -> Any:
    """All frames through the streams, then the last right one once more by the host."""
    program = Program.load(job.folder / "0.nrw")
    config = program.config
    values, sent, sizes = job.values, job.arrays["sent"].tobytes(), job.arrays["sizes"].tolist()
    if values["host_stall"]:
        await transport.set_host(stall=values["host_stall"])  # type: ignore[attr-defined]
    kind = None if values["kind"] is None else AnswerKind(values["kind"])
    driver: Any = Driver(transport, config)
    await driver.load(program)
    serving = serving_of(program, config, kind, tensor=program.graph.output_tensors[0])
    await driver.serve(serving)
    await transport.set_streams(frames=values["stalls"][0], answers=values["stalls"][1])  # type: ignore[attr-defined]
    answers: list[bytes | None] = []
    at, first = 0, 0
    for number, size in enumerate(sizes):
        await transport.send_frame(sent[at : at + size])  # type: ignore[attr-defined]
        at += size
        if number % 64 == 63 or number == len(sizes) - 1:
            answers += await transport.take_answers(number + 1 - first, _TIMEOUT * (number + 1 - first))  # type: ignore[attr-defined]
            first = number + 1
            progress(first, len(sizes))
    wrong = await driver.stop_serving()
    return {
        "given": np.frombuffer(b"".join(answer or b"" for answer in answers), dtype=np.uint8),
        "counts": np.array([len(answer or b"") for answer in answers]),
        "after": await driver.dump(program.graph.output_tensors[0]),
    }, {"wrong": int(wrong)}
