"""SpiProgram: a C program for a microcontroller, compiled here, before the machine's model on SPI."""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from narrows.hw.spec.link import hello_words
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.program import Program
from narrows.sw.runtime import prepare_input
from narrows.sw.standalone.bundle import standalone_files
from numpy.typing import NDArray
from serial_core import SerialCore

__all__ = ["COMPILER", "EXCHANGE", "SpiProgram"]

COMPILER = shutil.which("cc")

_VERILOG = "module narrows_core(clk);\n  input clk;\nendmodule\n"  # its ports matter to the constraints alone
_BYTES = ctypes.POINTER(ctypes.c_uint8)
_TAKE = ctypes.CFUNCTYPE(None, _BYTES, ctypes.c_uint32, _BYTES, ctypes.c_uint32)
_FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-Dmain=program_main")

EXCHANGE = """
#include <stdint.h>
void (*take)(const uint8_t *, uint32_t, uint8_t *, uint32_t);
void set_take(void (*given)(const uint8_t *, uint32_t, uint8_t *, uint32_t)) { take = given; }
"""
"""C of a bus whose transfers, bytes out and then bytes in, come here."""


class SpiProgram:
    """A program's main function with the driver and a model as C data.

    Parameters
    ----------
    program : Program
    folder : Path
        For what is compiled.
    sources : sequence of Path
        Of the program.
    system : mapping of str
        Texts of headers and C files that stand in for the system's, by file name.
    """

    def __init__(self, program: Program, folder: Path, sources: Sequence[Path], system: Mapping[str, str]) -> None:
        self._program = program
        config = dataclasses.replace(program.config, host="spi")
        files = standalone_files(config, _VERILOG, name="core", mhz=50, program=program) | {"bus.c": EXCHANGE, **system}
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        compiled = [name for name in files if name.endswith(".c")]
        assert COMPILER is not None
        command = [COMPILER, *_FLAGS, "-I.", "-shared", "-fPIC", *compiled, *map(str, sources), "-o", "program.so"]
        subprocess.run(command, cwd=folder, check=True)
        self._c = ctypes.CDLL(str(folder / "program.so"))
        self.core = IsaTransport(program.config)
        self.link: SerialCore | None = SerialCore(self.core, hello_words(config))
        """None: nothing is connected."""
        self._take = _TAKE(self._transfer)
        self._c.set_take(self._take)

    def _transfer(self, out: Any, count: int, received: Any, wanted: int) -> None:
        answer = b"" if self.link is None else self.link.take(bytes(out[:count]))
        if self.link is not None:
            self.link.silence()
        ctypes.memmove(received, (bytes(3) + answer + bytes(wanted))[:wanted], wanted)

    def right_scores(self, values: NDArray[Any]) -> str:
        """The golden model's levels of the first output, as the programs print them; of a sample (1, ...)."""
        graph = self._program.graph
        golden = GoldenModel(graph, self._program.config).run(prepare_input(graph, values))
        return " ".join(map(str, golden[graph.output_tensors[0]].reshape(-1).tolist()))

    def main(self) -> None:
        """Run it to its end; what it prints goes to this process' standard output."""
        assert self._c.program_main() == 0
        ctypes.CDLL(None).fflush(None)
