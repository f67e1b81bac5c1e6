"""compile_firmware: a bare-metal C program for the processor, as the words of its ROM."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import narrows

__all__ = ["COMPILERS", "compile_firmware"]

_ZIG = [sys.executable, "-m", "ziglang", "cc", "-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m"]
COMPILERS = {"zig": _ZIG, "gcc": ["riscv64-unknown-elf-gcc", "-march=rv32im", "-mabi=ilp32"]}
"""How they are called for a processor with multiplication. Zig's Clang comes as a wheel (``pip install ziglang``),
GCC from Linux distributions (Debian: ``apt-get install gcc-riscv64-unknown-elf``)."""

_FLAGS = ["-std=c99", "-Wall", "-Wextra", "-O2", "-ffreestanding", "-fno-builtin", "-nostdlib", "-static"]
_FLAGS += ["-ffunction-sections", "-Wl,--gc-sections"]
_LOAD = 1  # segment type PT_LOAD


def compile_firmware(sources: Sequence[Path], script: Path, folder: Path, *, compiler: str = "zig") -> list[int]:
    """Compile and link; include files and ``regions.ld`` are looked for in the folder.

    Returns
    -------
    list of int
        Words from address 0 on.

    Raises
    ------
    narrows.NarrowsError
        If the compiler is not installed or refuses the program.
    """
    command = COMPILERS[compiler]
    missing = importlib.util.find_spec("ziglang") is None if compiler == "zig" else shutil.which(command[0]) is None
    if missing:
        raise narrows.NarrowsError("there is no RISC-V compiler: pip install ziglang, or --compiler gcc with Debian's")
    program = folder / "firmware.elf"
    command = [*command, *_FLAGS, f"-I{folder}", f"-Wl,-T,{script}", "-o", str(program)]
    done = subprocess.run([*command, *map(str, sources)], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise narrows.NarrowsError(f"the C program cannot be compiled: {done.stderr.strip()}")
    return _rom_words(program.read_bytes())


def _rom_words(elf: bytes) -> list[int]:
    """What a 32-bit ELF file loads, at the physical addresses that it names."""
    (table,) = struct.unpack_from("<I", elf, 28)
    size, count = struct.unpack_from("<HH", elf, 42)
    image = bytearray()
    for number in range(count):
        kind, offset, _, place, length = struct.unpack_from("<5I", elf, table + size * number)
        if kind == _LOAD and length:
            image.extend(bytes(max(0, place + length - len(image))))
            image[place : place + length] = elf[offset : offset + length]
    image.extend(bytes(-len(image) % 4))
    return list(struct.unpack(f"<{len(image) // 4}I", image))
