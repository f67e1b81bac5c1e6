"""The C driver, compiled and run against the machine's model: programs, real inputs, and what goes wrong."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.registers import Fault, Register
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import ProgramError
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input, run_sync
from narrows.sw.standalone.bundle import standalone_files
from numpy.typing import NDArray
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_levels

COMPILER = shutil.which("cc")
VERILOG = "module narrows_core(clk);\n  input clk;\nendmodule\n"  # its ports matter to the constraints alone
OK, NO_CORE, OTHER_CONFIG, RUNNING, NOT_DONE, BAD_LEVEL = 0, -1, -3, -4, -5, -6
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)

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

    def __init__(self, program: Program, folder: Path, core: AcceleratorConfig | None = None) -> None:
        files = standalone_files(program.config, VERILOG, name="core", mhz=50, program=program)
        for name, text in (files | {"glue.c": GLUE}).items():
            (folder / name).write_text(text)
        assert COMPILER is not None
        sources = ["narrows.c", "narrows_model.c", "glue.c"]
        subprocess.run([COMPILER, *FLAGS, "-shared", "-fPIC", *sources, "-o", "driver.so"], cwd=folder, check=True)
        self.c = ctypes.CDLL(str(folder / "driver.so"))
        self.c.glue_quantise.restype, self.c.glue_quantise.argtypes = ctypes.c_int16, [ctypes.c_double]
        self.c.narrows_fault_index.restype = self.c.narrows_cycles.restype = ctypes.c_uint32
        self.program = program
        self.core = IsaTransport(core or program.config)
        self.errors: list[Exception] = []
        self._bus = Bus(READ(self._read), WRITE(self._write), None)
        self.bus = ctypes.byref(self._bus)

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
        for number, (name, _) in enumerate(self.program.graph.outputs):
            read = np.zeros(self.program.graph.tensors[name].shape, dtype=np.int16)
            self.c.glue_read(self.bus, number, read.ctypes.data_as(ctypes.c_void_p))
            found[name] = read.astype(np.int64)
        assert self.errors == []
        return found


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
