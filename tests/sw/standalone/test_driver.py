"""The C driver, compiled and run against the machine's model: programs, real inputs, and what goes wrong."""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from linked_cases import drawn_programs, drawn_turns
from narrows.hw.spec.answer import AnswerKind
from narrows.hw.spec.boot import BootState, decode_image
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.link import MAX_WORDS, hello_words
from narrows.hw.spec.protection import StoredBit
from narrows.hw.spec.registers import Fault, Region, Register, Status, region_address
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.compile.link import link
from narrows.sw.errors import ProgramError
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import TransportError, prepare_input, run_sync
from narrows.sw.runtime.boot import boot_image
from narrows.sw.runtime.serving import serving_of
from narrows.sw.standalone.bundle import standalone_files
from numpy.typing import NDArray
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_levels, random_stream
from serial_core import SerialCore

COMPILER = shutil.which("cc")
VERILOG = "module narrows_core(clk);\n  input clk;\nendmodule\n"  # its ports matter to the constraints alone
OK, NO_CORE, OTHER_CONFIG, RUNNING, NOT_DONE, BAD_LEVEL, NOT_LOADED, DAMAGED = 0, -1, -3, -4, -5, -6, -7, -8
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
BYTES = ctypes.POINTER(ctypes.c_uint8)
EXCHANGE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, BYTES, ctypes.c_uint32, BYTES, ctypes.c_uint32)
SILENT, OTHER, RESET, REFUSED = -10, -11, -12, -13

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


GLUE = """
#include "narrows_model.h"
#include "narrows_core.h"
int glue_load(const narrows_bus *bus) { return narrows_load(bus, &narrows_model); }
int glue_write(const narrows_bus *bus, const int16_t *levels)
{ return narrows_write_tensor(bus, &narrows_input, levels); }
void glue_read(const narrows_bus *bus, int n, int16_t *levels)
{ narrows_read_tensor(bus, &narrows_outputs[n], levels); }
int16_t glue_quantise(double value) { return narrows_quantise(&narrows_input, value); }
int glue_levels(void) { return NARROWS_INPUT_LEVELS; }
"""
FLAGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror", "-O1")


class Bus(ctypes.Structure):
    """narrows_bus."""

    _fields_ = (("read", READ), ("write", WRITE), ("context", ctypes.c_void_p))


class Host:
    """The driver with a program's data, compiled, in front of a model of the core (of configuration ``core``)."""

    port, glue = "axi", GLUE

    def __init__(self, program: Any, folder: Path, core: AcceleratorConfig | None = None) -> None:
        config = dataclasses.replace(program.config, host=self.port)
        files = standalone_files(config, VERILOG, name="core", mhz=50, program=program) | {"glue.c": self.glue}
        for name, text in files.items():
            (folder / name).write_text(text)
        assert COMPILER is not None
        sources = [name for name in files if name.endswith(".c")]
        subprocess.run([COMPILER, *FLAGS, "-shared", "-fPIC", *sources, "-o", "driver.so"], cwd=folder, check=True)
        self.c = ctypes.CDLL(str(folder / "driver.so"))
        self.c.glue_quantise.restype, self.c.glue_quantise.argtypes = ctypes.c_int16, [ctypes.c_double]
        self.c.narrows_fault_index.restype = self.c.narrows_cycles.restype = ctypes.c_uint32
        self.program = program
        self.core = IsaTransport(core or program.config)
        self.errors: list[Exception] = []
        self.connect()

    def connect(self) -> None:
        self._bus = Bus(READ(self._read), WRITE(self._write), None)
        self.bus: Any = ctypes.byref(self._bus)

    def _read(self, context: int, address: int) -> int:
        try:
            return int(run_sync(self.core.read(address, 1))[0])
        except Exception as error:  # what a callback raises is lost
            self.errors.append(error)
            return 0

    def _write(self, context: int, address: int, value: int) -> None:
        try:
            run_sync(self.core.write(address, np.array([value], dtype=np.uint32)))
        except Exception as error:
            self.errors.append(error)

    def write(self, levels: NDArray[np.int64]) -> int:
        flat = np.ascontiguousarray(levels, dtype=np.int16)
        return self.c.glue_write(self.bus, flat.ctypes.data_as(ctypes.c_void_p))

    def infer(self, levels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Outputs of one sample, of shape (C, H, W)."""
        assert self.write(levels) == OK
        assert self.c.narrows_run(self.bus, 1000) == OK
        found = {}
        for number, output in enumerate(self.program.graph.outputs):
            read = np.zeros(self.program.graph.tensors[output.tensor].shape, dtype=np.int16)
            self.c.glue_read(self.bus, number, read.ctypes.data_as(ctypes.c_void_p))
            found[output.tensor] = read.astype(np.int64)
        assert self.errors == []
        return found


SPI_GLUE = """
#include "narrows_spi.h"
static narrows_spi spi;
static const narrows_bus bus = {narrows_spi_read, narrows_spi_write, &spi};
int glue_open(int (*exchange)(void *, const uint8_t *, uint32_t, uint8_t *, uint32_t))
{ spi.exchange = exchange; return narrows_spi_open(&spi); }
const narrows_bus *glue_bus(void) { return &bus; }
int glue_status(void) { return narrows_spi_status(&spi); }
uint32_t glue_repeated(void) { return spi.repeated; }
"""


LINKED_GLUE = """
#include "narrows_model.h"
#include "narrows_core.h"
static const narrows_program *const programs[] = {&narrows_program_0_model, &narrows_program_1_model};
static const narrows_tensor *const inputs[] = {&narrows_program_0_input, &narrows_program_1_input};
static const narrows_tensor *const outputs[] = {narrows_program_0_outputs, narrows_program_1_outputs};
static int chosen;
int glue_load(const narrows_bus *bus) { return narrows_load(bus, programs[chosen]); }
int glue_select(const narrows_bus *bus, int n) { chosen = n; return narrows_select(bus, programs[n]); }
int glue_write(const narrows_bus *bus, const int16_t *levels)
{ return narrows_write_tensor(bus, inputs[chosen], levels); }
void glue_read(const narrows_bus *bus, int n, int16_t *levels)
{ narrows_read_tensor(bus, &outputs[chosen][n], levels); }
int16_t glue_quantise(double value) { return narrows_quantise(inputs[chosen], value); }
"""


class LinkedHost(Host):
    """The driver with two programs that are resident together."""

    glue = LINKED_GLUE


class SpiHost(Host):
    """The same over SPI; ``harm`` may change the bytes of either direction."""

    port, glue = "spi", GLUE + SPI_GLUE

    def connect(self) -> None:
        self.link = SerialCore(self.core, hello_words(dataclasses.replace(self.program.config, host="spi")))
        self.harm: Callable[[bytes], bytes] = bytes
        self.requests: list[int] = []
        self._exchange = EXCHANGE(self._transfer)
        self.c.glue_bus.restype = ctypes.c_void_p
        self.c.glue_repeated.restype = ctypes.c_uint32
        self.bus = ctypes.c_void_p(self.c.glue_bus())

    def open(self) -> int:
        return self.c.glue_open(self._exchange)

    def _transfer(self, context: int, out: Any, count: int, received: Any, wanted: int) -> int:
        self.requests.append(count)
        answer = self.harm(self.link.take(self.harm(bytes(out[:count]))))
        self.link.silence()
        answer = (bytes(len(self.requests) % 16) + answer + bytes(wanted))[:wanted]
        ctypes.memmove(received, answer, wanted)
        return 0


def differences(host: Host, levels: NDArray[np.int64]) -> int:
    """Levels of all outputs of samples (N, C, H, W) that are not those of the golden model."""
    golden = GoldenModel(host.program.graph, host.program.config).run(levels)
    return sum(
        int((found != golden[name][number]).sum())
        for number, sample in enumerate(levels)
        for name, found in host.infer(sample).items()
    )


@pytest.fixture(scope="module")
def digits_program() -> Program:
    with digits_model() as path:
        graph = lower(load_model(path))
    return compile_graph(quantise(graph, digits().calib_x[:64], QuantSettings(), PRESETS["tiny"]), PRESETS["tiny"])


def test_digits_agree_with_the_golden_model(digits_program: Program, tmp_path: Path) -> None:
    host, images = Host(digits_program, tmp_path), digits().test_x[:40]
    assert (host.c.narrows_open(host.bus), host.c.glue_load(host.bus)) == (OK, OK)
    levels = prepare_input(digits_program.graph, images)
    assert differences(host, levels) == 0
    assert host.c.narrows_cycles(host.bus) == host.core.machine.counts.cycles > 0


def random_program(config: AcceleratorConfig, seed: int) -> tuple[Program, NDArray[np.int64]]:
    program = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(seed)), 3), config)
    return program, random_levels(program.graph, np.random.default_rng(seed))[np.newaxis]


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CONFIGS)))
def test_random_programs_agree_with_the_golden_model(seed: int, name: str, tmp_path: Path) -> None:
    program, levels = random_program(CONFIGS[name], seed)
    host = Host(program, tmp_path)
    assert host.c.glue_load(host.bus) == OK
    assert differences(host, levels) == 0


@pytest.mark.parametrize("name", ["square", "two rows drained"])
def test_streams_agree_with_the_golden_model(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    program = compile_graph(random_stream(GraphBuilder(CONFIGS[name], rng)), CONFIGS[name])
    frames = np.stack([random_levels(program.graph, rng) for _ in range(4)])
    host = Host(program, tmp_path)
    for _ in range(2):  # a load begins the stream anew
        assert host.c.glue_load(host.bus) == OK
        assert differences(host, frames) == 0


def test_real_inputs_become_the_levels_that_the_runtime_makes(digits_program: Program, tmp_path: Path) -> None:
    host, graph = Host(digits_program, tmp_path), digits_program.graph
    assert host.c.glue_levels() == 64
    values = np.concatenate([np.linspace(-3, 20, 400), np.arange(-2, 33) / 2])
    padded = np.resize(values, (-(-len(values) // 64), *graph.input.shape))
    expected = prepare_input(graph, padded).reshape(-1)
    found = [host.c.glue_quantise(value) for value in padded.reshape(-1).tolist()]
    np.testing.assert_array_equal(found, expected)


def test_what_goes_wrong_is_told(digits_program: Program, tmp_path: Path) -> None:
    host = Host(digits_program, tmp_path)
    assert host.c.narrows_poll(host.bus) == NOT_DONE
    assert host.c.narrows_run(host.bus, 5) == Fault.CONFIG_MISMATCH  # nothing was loaded
    assert host.c.narrows_fault_index(host.bus) == 0
    host.c.narrows_clear(host.bus)
    assert host.c.narrows_poll(host.bus) == NOT_DONE
    assert host.c.narrows_run(host.bus, 0) == RUNNING
    levels = np.full(64, 1, dtype=np.int64)
    levels[17] = 1000
    assert host.write(levels) == BAD_LEVEL
    assert host.c.glue_load(host.bus) == OK
    run_sync(host.core.write(Register.WATCHDOG.offset, np.array([5], dtype=np.uint32)))
    assert host.c.narrows_run(host.bus, 5) == Fault.WATCHDOG


def test_other_cores_are_refused(digits_program: Program, tmp_path: Path) -> None:
    host = Host(digits_program, tmp_path, core=PRESETS["demo"])
    assert host.c.narrows_open(host.bus) == OTHER_CONFIG
    assert host.c.glue_load(host.bus) == OTHER_CONFIG
    host._bus.read = READ(lambda context, address: 0)
    assert host.c.narrows_open(host.bus) == NO_CORE


def test_a_program_with_a_backing_store_is_refused() -> None:
    config = AcceleratorConfig(**PRESETS["tiny"].to_dict() | {"backing": "axi4"})
    program, _ = random_program(config, 1)
    with pytest.raises(ProgramError, match="does not fill a backing store"):
        standalone_files(config, VERILOG, name="core", mhz=50, program=program)


def test_digits_over_spi_agree_with_the_golden_model(digits_program: Program, tmp_path: Path) -> None:
    host = SpiHost(digits_program, tmp_path)
    assert (host.open(), host.c.narrows_open(host.bus), host.c.glue_load(host.bus)) == (OK, OK, OK)
    assert max(host.requests) == 12 + 4 * MAX_WORDS, "memories are written in bursts"
    levels = prepare_input(digits_program.graph, digits().test_x[:10])
    assert differences(host, levels) == 0
    assert (host.c.glue_status(), host.c.glue_repeated()) == (OK, 0)


@pytest.mark.parametrize("seed", range(3))
def test_harmed_bytes_on_spi_cost_repeats_and_nothing_else(digits_program: Program, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    host = SpiHost(digits_program, tmp_path)
    host.harm = lambda data: bytes(byte ^ (1 << int(rng.integers(8)) if rng.random() < 1e-3 else 0) for byte in data)
    assert (host.open(), host.c.glue_load(host.bus)) == (OK, OK)
    assert differences(host, prepare_input(digits_program.graph, digits().test_x[:4])) == 0
    assert host.c.glue_status() == OK and host.c.glue_repeated() > 0


def test_a_start_is_not_held_back(digits_program: Program, tmp_path: Path) -> None:
    host = SpiHost(digits_program, tmp_path)
    assert host.open() == OK
    host.c.narrows_start(host.bus)
    assert host.link.carried_out[-1] == Register.CONTROL.offset


def test_what_goes_wrong_on_spi_is_told(digits_program: Program, tmp_path: Path) -> None:
    host = SpiHost(digits_program, tmp_path)
    host.harm = lambda data: bytes(len(data))
    assert (host.open(), len(host.requests)) == (SILENT, 8)
    assert host.c.narrows_open(host.bus) == NO_CORE
    host.harm = bytes
    assert (host.open(), host.c.glue_load(host.bus), host.c.glue_status()) == (OK, OK, OK)

    host.link.reset()
    assert host.c.narrows_open(host.bus) == NO_CORE
    assert host.c.glue_status() == RESET
    assert (host.open(), host.c.narrows_open(host.bus)) == (OK, OK)

    class Busy(IsaTransport):
        async def write(self, address: int, values: Any) -> None:
            raise TransportError("busy")

    host.link.behind = Busy(digits_program.config)
    host.c.narrows_spi_write.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    spi = ctypes.cast(host.bus, ctypes.POINTER(Bus)).contents.context
    host.c.narrows_spi_write(spi, region_address(digits_program.config, Region.ACTIVATIONS), 1)
    assert host.c.glue_status() == REFUSED
    host.link.hello = [1, 2]
    assert host.open() == OTHER


FRAME_GLUE = """
void glue_frame(const narrows_bus *bus, const uint8_t *frame) { narrows_write_frame(bus, frame, NARROWS_INPUT_BYTES); }
"""


class FrameHost(Host):
    """The driver of a core with a frame memory."""

    glue = GLUE + FRAME_GLUE

    def frame(self, levels: NDArray[np.int64]) -> None:
        """Write a sample as bytes, a pixel's channels side by side."""
        data = (levels.transpose(1, 2, 0) & 0xFF).astype(np.uint8).tobytes()
        self.c.glue_frame(self.bus, data)


@pytest.mark.parametrize("seed", range(3))
def test_frames_give_what_levels_give_and_may_come_early(seed: int, tmp_path: Path) -> None:
    config = dataclasses.replace(PRESETS["medium"], acc_bits=32, frame_bytes=2048)
    rng = np.random.default_rng(seed)
    program = compile_graph(random_chain(GraphBuilder(config, rng), 2), config)
    samples = [random_levels(program.graph, rng) for _ in range(3)]
    host = FrameHost(program, tmp_path)
    assert host.c.glue_load(host.bus) == OK
    golden = GoldenModel(program.graph, config).run(np.array(samples))
    host.frame(samples[0])
    for number in range(3):
        assert host.c.narrows_run_frame(host.bus, 1000) == OK
        if number < 2:
            host.frame(samples[number + 1])
        for place, output in enumerate(program.graph.outputs):
            read = np.zeros(program.graph.tensors[output.tensor].shape, dtype=np.int16)
            host.c.glue_read(host.bus, place, read.ctypes.data_as(ctypes.c_void_p))
            np.testing.assert_array_equal(read, golden[output.tensor][number])
    assert host.errors == []


SERVE_GLUE = (
    FRAME_GLUE
    + """
void glue_serve(const narrows_bus *bus, int place)
{
    narrows_serve(bus, place ? narrows_answer_place : narrows_answer_levels, 0);
}
int glue_answer_bytes(int place) { return place ? NARROWS_ANSWER_PLACE_BYTES : NARROWS_ANSWER_LEVELS_BYTES; }
"""
)


class ServeHost(FrameHost):
    """The driver of a core with streams."""

    glue = GLUE + SERVE_GLUE


@pytest.mark.parametrize("place", [0, 1])
def test_what_the_driver_serves_is_the_golden_models(place: int, tmp_path: Path) -> None:
    config = dataclasses.replace(PRESETS["medium"], acc_bits=32, frame_bytes=2048, streams=1)
    rng = np.random.default_rng(3)
    program = compile_graph(random_chain(GraphBuilder(config, rng), 2), config)
    serving = serving_of(program, config, AnswerKind.PLACE if place else None)
    host = ServeHost(program, tmp_path)
    assert host.c.glue_load(host.bus) == OK
    host.c.glue_serve(host.bus, place)
    assert host.c.glue_answer_bytes(place) == serving.answer_bytes
    sample = random_levels(program.graph, rng)
    answer = host.core.machine.serve(serving.frame(sample))
    assert answer is not None
    [levels] = GoldenModel(program.graph, config).run(sample[np.newaxis])[program.graph.output_tensors[0]]
    right = int(levels.transpose(1, 2, 0).argmax()) if place else levels
    np.testing.assert_array_equal(serving.given(answer), right)
    assert host.core.machine.serve(serving.frame(sample)[1:]) is None
    assert host.c.narrows_stop_serving(host.bus) == 0
    host.frame(sample)
    assert host.c.narrows_run_frame(host.bus, 1000) == OK


class BootedCore(IsaTransport):
    """A core that has the program from its flash after some looks at it."""

    looks, state = 5, BootState.LOADED

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        words = await super().read(address, count)
        self.looks -= address in (Register.STATUS.offset, Register.BOOT.offset)
        if address == Register.STATUS.offset:
            words[:] |= np.uint32(Status.BUSY if self.looks > 0 else 0)
        if address == Register.BOOT.offset:
            words[:] = int(self.state)
        return words


def test_a_core_that_boots_is_waited_for_and_needs_no_load(tmp_path: Path) -> None:
    config = dataclasses.replace(PRESETS["tiny"], acc_bits=32, boot=1, flash_divisor=1)
    rng = np.random.default_rng(7)
    program = compile_graph(random_chain(GraphBuilder(config, rng), 2), config)
    levels = random_levels(program.graph, rng)
    host = Host(program, tmp_path)
    assert host.c.narrows_attach(host.bus, 3) == NOT_LOADED  # the model has no flash
    host.core = BootedCore(config)
    for address, words in decode_image(boot_image(program, config)):
        run_sync(host.core.write(address, words))
    assert host.c.narrows_open(host.bus) == RUNNING
    assert host.c.narrows_attach(host.bus, 2) == RUNNING
    assert host.c.narrows_attach(host.bus, 1000) == OK
    golden = GoldenModel(program.graph, config).run(levels[np.newaxis])
    for name, found in host.infer(levels).items():
        np.testing.assert_array_equal(found, golden[name][0])
    host.core.state = BootState.REPLACED
    assert host.c.narrows_attach(host.bus, 1000) == NOT_LOADED


def test_programs_that_are_resident_together_run_by_turns(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIGS["square"], instructions=64)
    linked = link(drawn_programs(config, 1, 2))
    turns = drawn_turns(linked, 4, (0, 1, 1, 0, 1))
    host = LinkedHost(linked, tmp_path)
    assert host.c.glue_load(host.bus) == OK
    found: dict[str, list[dict[str, NDArray[np.int64]]]] = {name: [] for name in linked}
    for turn in turns:
        host.program = linked[turn.name]
        assert host.c.glue_select(host.bus, list(linked).index(turn.name)) == OK
        found[turn.name] += [host.infer(sample) for sample in turn.levels]
    for name, program in linked.items():
        levels = np.concatenate([turn.levels for turn in turns if turn.name == name])
        golden = GoldenModel(program.graph, config).run(levels)
        for tensor in program.graph.output_tensors:
            np.testing.assert_array_equal(np.stack([one[tensor] for one in found[name]]), golden[tensor])


def test_a_core_without_entry_takes_no_second_program(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIGS["square"], instructions=64)
    linked = link(drawn_programs(config, 1, 2))
    host = LinkedHost(linked, tmp_path, config)
    assert host.c.glue_select(host.bus, 1) == OTHER_CONFIG
    assert host.c.glue_load(host.bus) == OTHER_CONFIG
    assert host.c.glue_select(host.bus, 0) == OK


def test_flipped_bits_have_a_status_of_their_own(tmp_path: Path) -> None:
    config = dataclasses.replace(PRESETS["tiny"], acc_bits=32, protection="parity")
    rng = np.random.default_rng(7)
    program = compile_graph(random_chain(GraphBuilder(config, rng), 2), config)
    levels = random_levels(program.graph, rng)
    host = Host(program, tmp_path)
    assert (host.c.narrows_open(host.bus), host.c.glue_load(host.bus)) == (OK, OK)
    golden = GoldenModel(program.graph, config).run(levels[np.newaxis])
    for word in (0, int(program.layouts[program.graph.output_tensors[0]].addresses()[0, 0, 0, 0])):
        before = word == 0
        if before:  # found by the run
            host.core.machine.flip(Region.INSTRUCTIONS, 0, StoredBit(0, 0))
            assert host.write(levels) == OK
            assert host.c.narrows_run(host.bus, 1000) == Fault.MEMORY_ERROR
        else:  # found by the host's read
            host.core.machine.flip(Region.ACTIVATIONS, word % config.act_words, StoredBit(0, 0))
            run_sync(host.core.read(region_address(config, Region.ACTIVATIONS, word % config.act_words), 1))
        assert host.c.narrows_sound(host.bus) == DAMAGED
        assert host.c.glue_load(host.bus) == OK
        for name, found in host.infer(levels).items():
            np.testing.assert_array_equal(found, golden[name][0])
        assert host.c.narrows_sound(host.bus) == OK
