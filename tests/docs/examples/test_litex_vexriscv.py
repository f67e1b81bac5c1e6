"""The SoC with a processor: its C program gives the golden model's levels, and says so where it cannot."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import narrows
import pytest
from firmware import COMPILERS, compile_firmware
from simulate import build, differences, run

TOOLS = [program for program in ("make", "c++", "perl") if shutil.which(program) is None]
WHEELS = [name for name in ("ziglang", "pythondata_cpu_vexriscv") if importlib.util.find_spec(name) is None]
needs_compiler = pytest.mark.skipif("ziglang" in WHEELS, reason="needs ziglang (extra soc)")

LINKER_SCRIPT = """
MEMORY { rom : ORIGIN = 0, LENGTH = 4096\n ram : ORIGIN = 0x10000000, LENGTH = 4096 }
SECTIONS { .text : { *(.start) *(.text*) } > rom .data : AT(0x40) { KEEP(*(.data*)) } > ram }
"""


def small_program(**parameters: int) -> narrows.Program:
    digits = narrows.example()
    config = narrows.Config("tiny", rows=1, columns=2, rescalers=1, lanes=2, act_words=2048, weight_words=4096)
    config = narrows.Config(config, **parameters)
    return digits.model.quantize(digits.calib[:32]).compile(config)


@pytest.mark.skipif(bool(TOOLS + WHEELS), reason=f"needs {', '.join(TOOLS + WHEELS)}")
@pytest.mark.parametrize("frame_bytes", [0, 64])
def test_digits_on_the_processor_agree_with_the_golden_model(frame_bytes: int, tmp_path: Path) -> None:
    program, x = small_program(frame_bytes=frame_bytes), narrows.example().x[:2]
    found = run(build(program, x, tmp_path))
    assert len(found.answers) == 2
    assert differences(program, x, found) == 0
    for answer in found.answers:
        cycles = answer.cycles
        assert cycles["write"] + cycles["run"] + cycles["read"] == cycles["all"]
        assert 0 < cycles["core"] < cycles["run"]
    assert sum(answer.cycles["all"] for answer in found.answers) + found.load_cycles < found.sim_cycles
    found.answers[1].levels[3] += 1
    assert differences(program, x, found) == 1


def test_a_program_that_does_not_end_well_is_an_error(tmp_path: Path) -> None:
    simulator = tmp_path / "obj_dir" / "Vbench"
    simulator.parent.mkdir()
    for said in ("load ; all 9\nend ; result -1\ncycles 100\n", "load ; all 9\n"):
        simulator.write_text(f"#!/bin/sh\nprintf '{said}'\n")
        simulator.chmod(0o755)
        with pytest.raises(narrows.NarrowsError, match="did not end well"):
            run(simulator)


@needs_compiler
def test_what_is_linked_elsewhere_lies_where_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "link.ld").write_text(LINKER_SCRIPT)
    (tmp_path / "a.S").write_text('.section .start, "ax"\n.global _start\n_start: j _start\n.data\n.word 0x12345678\n')
    words = compile_firmware([tmp_path / "a.S"], tmp_path / "link.ld", tmp_path)
    assert words == [0x0000006F, *[0] * 15, 0x12345678]


@needs_compiler
def test_a_program_with_an_error_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.ld").write_text(LINKER_SCRIPT)
    (tmp_path / "a.c").write_text("int main(void) { return nothing; }")
    with pytest.raises(narrows.NarrowsError, match="nothing"):
        compile_firmware([tmp_path / "a.c"], tmp_path / "link.ld", tmp_path)


def test_a_compiler_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMPILERS, "gcc", ["no-such-gcc"])
    with pytest.raises(narrows.NarrowsError, match="there is no RISC-V compiler"):
        compile_firmware([], tmp_path / "link.ld", tmp_path, compiler="gcc")
