"""A program runs where nothing but numpy is installed, and what else is asked for is refused in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import narrows
import numpy as np

ONLY_NUMPY = """
import sys

class Nothing:  # what is neither Python's own, nor numpy, nor ours cannot be imported
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "narrows", "serial", "usb", "pyftdi"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
import importlib.util
find = importlib.util.find_spec
def found(name, package=None):
    try:
        return find(name, package)
    except ModuleNotFoundError:
        return None
importlib.util.find_spec = found
import narrows, numpy as np
"""


def in_runtime(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ONLY_NUMPY + code, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_programs_run_with_numpy_alone(program: narrows.Program, digits: narrows.Example, tmp_path: Path) -> None:
    program.save(tmp_path / "m.nrw")
    np.save(tmp_path / "x.npy", digits.x[:3])
    found = in_runtime(
        "program = narrows.Program.load(sys.argv[1])\n"
        "x = np.load(sys.argv[2])\n"
        "np.savez(sys.argv[3], golden=program.run(x)['scores'], isa=program.run(x, engine='isa')['scores'])\n",
        tmp_path / "m.nrw",
        tmp_path / "x.npy",
        tmp_path / "y.npz",
    )
    assert found.returncode == 0, found.stderr
    with np.load(tmp_path / "y.npz") as values:
        for engine in ("golden", "isa"):
            assert np.array_equal(values[engine], program.run(digits.x[:3])["scores"])


def test_a_board_is_asked_with_numpy_and_a_link(program: narrows.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "m.nrw")
    found = in_runtime(
        "program = narrows.Program.load(sys.argv[1])\n"
        "try:\n    program.run(np.zeros((1, 1, 8, 8)), engine='ulx3s:/dev/no_such_port')\n"
        "except narrows.NarrowsError as error:\n    print(error)\n",
        tmp_path / "m.nrw",
    )
    assert found.returncode == 0, found.stderr
    assert "/dev/no_such_port" in found.stdout


def test_the_generator_is_missing_in_one_line(program: narrows.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "m.nrw")
    found = in_runtime(
        "program = narrows.Program.load(sys.argv[1])\n"
        "for work in (lambda: narrows.load('m.onnx'), lambda: program.verilog('c.v'),\n"
        "             lambda: program.report('r.html'), lambda: program.run(np.zeros((1, 1, 8, 8)), engine='rtl')):\n"
        "    try:\n        work()\n    except narrows.NarrowsError as error:\n        print(error)\n",
        tmp_path / "m.nrw",
    )
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert len(lines) == 4
    assert all(line.endswith("pip install 'narrows[generator]'") for line in lines)
    shown = in_runtime("from narrows.sw.cli import main\nmain()\n")
    assert (shown.returncode, shown.stderr.count("\n")) == (1, 1)
    assert shown.stderr.startswith("narrows: error: commands need the package typer")
