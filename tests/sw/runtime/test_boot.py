"""Boot images of programs: playing one is loading one, on the machine's model; attach knows which one it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from linked_cases import drawn_programs, drawn_turns, turn_differences
from narrows.hw.spec.boot import BootState, decode_image, image_tag, most_words
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.registers import Register, Status, Stream
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.compile.link import link
from narrows.sw.errors import ProgramMismatch
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError, run_sync
from narrows.sw.runtime.boot import boot_image
from narrows.sw.runtime.resident import run_turns
from narrows.sw.runtime.serving import serving_of
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_chain, random_levels, random_stream

CONFIG = dataclasses.replace(PRESETS["medium"], acc_bits=32)
BOOTS = dataclasses.replace(CONFIG, boot=1, flash_divisor=2, flash_offset=0x20000)


class Booting(IsaTransport):
    """A core that plays an image, and says so once ``looks`` have been taken at it."""

    def __init__(self, config: AcceleratorConfig, image: bytes, looks: int = 3) -> None:
        super().__init__(config)
        self.boot, self.looks = 0, 0
        for address, words in decode_image(image):
            run_sync(super().write(address, words))
        self.boot, self.looks = int(BootState.LOADED) | image_tag(image) << 8, looks

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        words = await super().read(address, count)
        self.looks -= 1
        booting, places = self.looks > 0, range(address, address + 4 * count, 4)
        if Register.BOOT.offset in places:
            words[(Register.BOOT.offset - address) // 4] = BootState.BOOTING if booting else self.boot
        if Register.STATUS.offset in places and booting:
            words[(Register.STATUS.offset - address) // 4] |= Status.BUSY
        return words


def program_and_levels(seed: int, config: AcceleratorConfig = CONFIG) -> tuple[Program, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    program = compile_graph(random_chain(GraphBuilder(config, rng), 3), config)
    return program, random_levels(program.graph, rng)


@pytest.mark.parametrize("frame_bytes", [0, 4096])
@pytest.mark.parametrize("seed", range(3))
def test_a_core_that_played_an_image_answers_as_one_that_was_loaded(seed: int, frame_bytes: int) -> None:
    program, levels = program_and_levels(seed)
    core = dataclasses.replace(BOOTS, frame_bytes=frame_bytes)
    loaded, booted = IsaTransport(core), Booting(core, boot_image(program, core))
    answers = []
    for transport, begin in ((loaded, Driver.load), (booted, Driver.attach)):
        driver = Driver(transport, CONFIG)
        run_sync(begin(driver, program))
        answers.append(run_sync(driver.infer(levels)))
    assert answers[0].checksums == answers[1].checksums
    for name, output in answers[0].outputs.items():
        np.testing.assert_array_equal(answers[1].outputs[name], output)


def test_a_stream_begins_with_attach() -> None:
    build = GraphBuilder(CONFIG, np.random.default_rng(4))
    program = compile_graph(random_stream(build), CONFIG)
    frames = [random_levels(program.graph, build.rng) for _ in range(3)]
    booted = Booting(BOOTS, boot_image(program, BOOTS))
    for _ in range(2):
        driver, fresh = Driver(booted, CONFIG), Driver(IsaTransport(CONFIG), CONFIG)
        run_sync(driver.attach(program))
        run_sync(fresh.load(program))
        for frame in frames:
            found, expected = run_sync(driver.answer(frame)), run_sync(fresh.answer(frame))
            for name, output in expected.items():
                np.testing.assert_array_equal(found[name], output)


def test_an_image_starts_nothing_and_is_no_longer_than_any() -> None:
    program, _ = program_and_levels(5)
    image = boot_image(program, BOOTS)
    assert all(address != Register.CONTROL.offset for address, _ in decode_image(image))
    assert len(image) // 4 < most_words(BOOTS)


def test_attach_tells_another_program_and_a_core_without_one() -> None:
    program, _ = program_and_levels(6)
    other, _ = program_and_levels(7)
    with pytest.raises(ProgramMismatch, match="the program in the board's flash is another one"):
        run_sync(Driver(Booting(BOOTS, boot_image(other, BOOTS)), CONFIG).attach(program))
    with pytest.raises(ProgramMismatch, match="it was generated without boot"):
        run_sync(Driver(IsaTransport(CONFIG), CONFIG).attach(program))
    with pytest.raises(ProgramMismatch, match="nothing is written there"):
        run_sync(Driver(IsaTransport(BOOTS), CONFIG).attach(program))
    with pytest.raises(ProgramMismatch, match="the program was compiled for"):
        boot_image(program, dataclasses.replace(BOOTS, acc_bits=20))


class Running(Booting):
    """A core that has booted and runs."""

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        words = await super().read(address, count)
        words[(Register.STATUS.offset - address) // 4] |= Status.BUSY
        return words


def test_a_core_that_runs_is_not_waited_for() -> None:
    program, _ = program_and_levels(8)
    with pytest.raises(TransportError, match="busy with a run that somebody else started"):
        run_sync(Driver(Running(BOOTS, boot_image(program, BOOTS)), CONFIG).attach(program))


def test_an_image_holds_all_programs_that_are_resident_together_and_begins_with_the_first() -> None:
    linked = link(drawn_programs(CONFIG, 3, 3))
    core = dataclasses.replace(BOOTS, entry=1)
    image = boot_image(linked, core)
    assert len(image) // 4 < most_words(core)
    turns = drawn_turns(linked, 2, (1, 0, 1, 2, 1))
    booted = Booting(core, image)
    assert booted.machine.entry == 0
    for _ in range(2):
        results = run_sync(run_turns(booted, linked, turns, loaded=True))
        assert turn_differences(linked, turns, results) == []
    with pytest.raises(ProgramMismatch, match="the program in the board's flash is another one"):
        run_sync(Driver(Booting(core, image), linked.config).attach(linked["program 0"]))
    plain = Booting(core, boot_image(drawn_programs(CONFIG, 3, 1)["program 0"], core))
    plain.machine.entry = 3  # what another host has left
    run_sync(Driver(plain, CONFIG).attach(drawn_programs(CONFIG, 3, 1)["program 0"]))
    assert plain.machine.entry == 0
    other = link(drawn_programs(CONFIG, 4, 2))
    with pytest.raises(ProgramMismatch, match="the program in the board's flash is another one"):
        run_sync(run_turns(Booting(core, image), other, [], loaded=True))


def test_a_core_that_boots_to_serve_counts_the_bytes_of_its_frames() -> None:
    core = dataclasses.replace(BOOTS, frame_bytes=4096, streams=1)
    program, _ = program_and_levels(1)
    *_, (address, words) = decode_image(boot_image(program, core, serving_of(program, core)))
    assert (address, words.tolist()) == (Register.STREAM.offset, [Stream.ENABLE | Stream.COUNTED])
