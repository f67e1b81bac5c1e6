"""Serving: frames and answers as bytes, and what only a host can serve."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.registers import Stream
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.errors import InputError
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError, run_sync
from narrows.sw.runtime.serving import serving_of
from program_batch import random_program
from random_graphs import random_levels

CORE = dataclasses.replace(PRESETS["medium"], acc_bits=32, frame_bytes=2048, streams=1)


@pytest.fixture(scope="module")
def program() -> Program:
    """One whose frames have more than 64 bytes."""
    programs = (random_program(CORE, seed, 2)[0] for seed in range(20))
    return next(each for each in programs if np.prod(each.graph.tensors[each.graph.input.tensor].shape) > 64)


@pytest.mark.parametrize("kind", [None, AnswerKind.WORDS, AnswerKind.PLACE])
def test_answers_are_the_golden_models(program: Program, kind: AnswerKind | None) -> None:
    serving = serving_of(program, CORE, kind)
    core = IsaTransport(CORE)
    driver = Driver(core, CORE)
    run_sync(driver.load(program))
    run_sync(driver.serve(serving))
    rng = np.random.default_rng(4)
    for _ in range(3):
        sample = random_levels(program.graph, rng)
        [levels] = GoldenModel(program.graph, CORE).run(sample[np.newaxis])[program.graph.output_tensors[0]]
        answer = core.machine.serve(serving.frame(sample))
        assert answer is not None and len(answer) == serving.answer_bytes
        right = int(levels.transpose(1, 2, 0).argmax()) if kind is AnswerKind.PLACE else levels
        np.testing.assert_array_equal(serving.given(answer), right)
    assert core.machine.serve(serving.frame(sample) + b"\0") is None
    assert run_sync(driver.stop_serving()) == Stream(0)


def test_a_load_closes_the_streams(program: Program) -> None:
    core = IsaTransport(CORE)
    driver = Driver(core, CORE)
    run_sync(driver.load(program))
    run_sync(driver.serve(serving_of(program, CORE)))
    assert not run_sync(driver.load(program))
    words = run_sync(core.read(0x50, 1))
    assert int(words[0]) == Stream.PRESENT


def test_what_is_no_answer_is_refused(program: Program) -> None:
    serving = serving_of(program, CORE)
    with pytest.raises(InputError, match=f"an answer has {serving.answer_bytes} bytes, not 1"):
        serving.given(b"\0")
    levels = np.full(program.graph.tensors[program.graph.input.tensor].shape, 1 << 20)
    with pytest.raises(InputError, match="the input's levels are"):
        serving.frame(levels)


def test_what_only_a_host_can_serve_says_why(program: Program) -> None:
    for changes, message in (
        ({"streams": 0}, "the core has no streams: generate it with streams = 1"),
        ({"frame_bytes": 64}, "the core cannot lay the program's input out"),
    ):
        with pytest.raises(InputError, match=message):
            serving_of(program, dataclasses.replace(CORE, **changes))
    with pytest.raises(InputError, match="the model gives no nothing: choose one of"):
        serving_of(program, CORE, tensor="nothing")
    driver = Driver(IsaTransport(dataclasses.replace(CORE, streams=0)), CORE)
    run_sync(driver.load(program))
    with pytest.raises(TransportError, match="the core has no streams"):
        run_sync(driver.serve(serving_of(program, CORE)))


def test_one_level_without_a_byte_is_enough_to_refuse_a_frame(program: Program) -> None:
    serving = serving_of(program, CORE)
    sample = random_levels(program.graph, np.random.default_rng(5))
    sample.flat[7] = int(serving.feed.levels[-1]) + 1
    with pytest.raises(InputError, match=r"^the input's levels are -?\d+ to -?\d+$"):
        serving.frame(sample)
