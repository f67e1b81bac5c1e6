"""write_testbench: the proof of a program's core without Python, as a folder of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..extras import need
from ..results import writable_folder, write_text
from ..runtime import prepare_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..program import Program

__all__ = ["Testbench", "write_testbench"]

_RANDOM = 2
"""Samples that are made up where none are given."""


@dataclass(frozen=True)
class Testbench:
    """What was written, and how many words of how many samples it compares."""

    files: Sequence[Path]
    samples: int
    words: int


def write_testbench(program: Program, folder: Path, x: NDArray[Any] | None) -> Testbench:
    """Write core, vectors, bench, Makefile and FuseSoC's description; arguments are those of `Program.testbench`."""
    writable_folder(folder / "core.v")
    need("amaranth", "cores", "generator")
    from ...hw.verilog import to_verilog
    from ...sim.golden import GoldenModel
    from ...sim.isa_transport import IsaTransport
    from ..standalone.testbench import bare_program, bench_files

    tested = bare_program(program)
    graph = tested.graph
    if x is None:
        tensor = graph.tensors[graph.input.tensor]
        known = np.unique(tensor.format.quantise(np.arange(tensor.low, tensor.high + 1)))
        levels = np.random.default_rng(0).choice(known, (_RANDOM, *tensor.shape)).astype(np.int64)
    else:
        levels = prepare_input(graph, x)
    golden = GoldenModel(graph, tested.config).run(levels)
    files, words = bench_files(
        tested,
        levels,
        {name: golden[name] for name in graph.output_tensors},
        verilog=to_verilog(tested.config),
        transport=IsaTransport(tested.config),
    )
    for name, text in files.items():
        write_text(folder / name, text)
    return Testbench([folder / name for name in files], len(levels), words)
