"""bench_files: a core, vectors of real runs, a plain Verilog bench, and what builds and describes them."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ProgramError
from ..program import Program
from ..runtime import Driver, Transport, run_sync
from ..version import __version__
from .vectors import Recorder, Step, vector_words

__all__ = ["bench_files", "bare_program"]

_CORE = "core.v"


def bare_program(program: Program) -> Program:
    """The program for its core with the bare port, which does not boot and has one clock.

    Raises
    ------
    ProgramError
        If its tensors do not all stay on the chip.
    """
    if program.config.has_backing:
        raise ProgramError("a test bench has no memory behind the core: compile for a core with backing = 'none'")
    config = dataclasses.replace(program.config, host="bare", boot=0, flash_offset=0, flash_divisor=0, gated=0)
    return dataclasses.replace(program, config=config)


def bench_files(
    program: Program,
    levels: NDArray[np.int64],
    expected: Mapping[str, NDArray[np.int64]],
    *,
    verilog: str,
    transport: Transport,
) -> tuple[dict[str, str], int]:
    """Texts by file name, and how many words the bench compares.

    Parameters
    ----------
    program : Program
        As `bare_program` gives it.
    levels : array of int64, shape (N, C, H, W)
        Of the input.
    expected : mapping of int64 arrays, shape (N, C, H, W)
        Right levels of the output tensors, by a model that knows nothing of programs.
    verilog : str
        The core.
    transport : Transport
        To a model of it that gives right values for every access.

    Raises
    ------
    ProgramError
        If that model's outputs are not the expected ones.
    """
    recorder = Recorder(transport)
    driver = Driver(recorder, program.config)
    run_sync(driver.load(program))
    for number, sample in enumerate(levels):
        recorder.sample(number)
        outputs = run_sync(driver.infer(sample)).outputs
        if any(not np.array_equal(outputs[name], expected[name][number]) for name in outputs):
            raise ProgramError(f"the models disagree on sample {number}: narrows verify says where")
    vectors = "\n".join(vector_words(recorder.vectors)) + "\n"
    compared = sum(int((block >> np.uint64(60) == Step.EXPECT).sum()) for block in recorder.vectors)
    folder = Path(__file__).parent
    bench = (folder / "bench.v").read_text(encoding="utf-8").replace("@COUNT@", str(vectors.count("\n")))
    files = {
        _CORE: verilog,
        "vectors.hex": vectors,
        "bench.v": bench,
        "Makefile": (folder / "bench.mk").read_text(encoding="utf-8"),
        "narrows_core.core": _fusesoc(program),
    }
    return files, compared


def _fusesoc(program: Program) -> str:
    """Description for FuseSoC (CAPI2): the core for designs around it, and the bench as target sim."""
    config = program.config
    return textwrap.dedent(f"""\
        CAPI=2:
        name: narrows::narrows_core:{__version__}
        description: Neural-network accelerator, {config.rows} x {config.columns} x {config.lanes} units

        filesets:
          rtl:
            files: [{_CORE}]
            file_type: verilogSource-2005
          bench:
            files:
              - bench.v
              - vectors.hex: {{file_type: user, copyto: vectors.hex}}
            file_type: verilogSource-2005

        targets:
          default:
            filesets: [rtl]
            toplevel: narrows_core
          sim:
            default_tool: icarus
            filesets: [rtl, bench]
            toplevel: bench
            tools:
              icarus:
                iverilog_options: [-g2005]
              verilator:
                mode: binary
                verilator_options: [--timing, -Wno-fatal, -Wno-lint]
        """)
