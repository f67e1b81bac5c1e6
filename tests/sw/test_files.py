"""Files that appear whole or not at all: after errors, on full disks, with the rights of any new file."""

from __future__ import annotations

import ast
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.files import new_file, on_disk, write_whole
from narrows.sw.results import write_text

ROOT = Path(__file__).parents[2]


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_bytes(b"before")
    write_whole(path, b"after")
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_its_rights_are_those_of_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_whole(tmp_path / "whole", b"")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_stop_in_the_middle_leaves_what_was_there(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "result"
    path.write_bytes(b"before")

    def write() -> None:
        with new_file(path) as file:
            file.write(b"half")
            raise stop

    with pytest.raises(stop):
        write()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_whole(tmp_path / "result", b"much")
    assert caught.value.filename == str(tmp_path / "result")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(tmp_path / "none" / "result", b"")
    assert caught.value.filename == str(tmp_path / "none" / "result")


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_a_name_of_long_letters(tmp_path: Path) -> None:
    write_whole(tmp_path / ("\u00e4" * 127), b"x")
    assert (tmp_path / ("\u00e4" * 127)).read_bytes() == b"x"


def test_a_file_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "product").write_bytes(b"much")
    asked: list[int] = []
    monkeypatch.setattr(os, "fsync", asked.append)
    on_disk(tmp_path / "product")
    assert len(asked) == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(asked[0])


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "result").write_bytes(b"before")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "result")
    write_whole(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "result").read_bytes() == b"after"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["result"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes with names")
def test_what_is_no_file_is_written_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        write_text(pipe, "through")
        assert reader.communicate()[0] == b"through"
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"")


PARTS = {
    "text": "write_text(place, 'long ' * 9999)",
    "json": "write_json(place, ['long'] * 9999)",
    "arrays": "write_arrays(place, {'x': np.random.default_rng(0).integers(0, 1 << 60, 9999)})",
    "waveform": "Waveform(dump).crop(place, 0, 99999)",
    "floorplan": "draw_floorplan(Floorplan(cells=((1, 1, 'core'),)), place, title='t')",
}
"""Ways in which results are written, each longer than the files that the test lets a process write."""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
@pytest.mark.parametrize("kind", PARTS)
def test_results_are_whole_or_as_they_were_where_the_disk_is_full(kind: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.vcd"
    changes = "".join(f"#{time}\n{time % 2}!\n" for time in range(9999))
    dump.write_text(f"$scope module m $end\n$var wire 1 ! a $end\n$upscope $end\n$enddefinitions $end\n{changes}")
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "result.svg").write_bytes(b"before")
    program = f"""
import resource
from pathlib import Path
import matplotlib.pyplot
import numpy as np
from narrows.sw.toolchain.place_and_route import Floorplan
from narrows.sw.report.floorplan import draw_floorplan
from narrows.sw.results import write_arrays, write_json, write_text
from narrows.sw.verify.waveform import Waveform

place, dump = Path({str(folder / "result.svg")!r}), Path({str(dump)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    {PARTS[kind]}
except OSError as error:
    print(error.filename)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{folder / 'result.svg'}\n"), done.stderr
    assert (folder / "result.svg").read_bytes() == b"before"
    assert [path.name for path in folder.iterdir()] == ["result.svg"]


COMPILE = """
import os, sys, time
from narrows.sw.cli import main

synced = os.fsync
def fsync(descriptor):
    print("ready", flush=True)
    time.sleep(60)
os.fsync = fsync
sys.argv = ["narrows", "compile", "--calib", *sys.argv[1:]]
main()
"""

SAVE = """
import os, sys, time
from pathlib import Path
from narrows.sw.files import new_file

with new_file(Path(sys.argv[-1])) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("kind", ["save", "compile"])
def test_a_kill_in_the_middle_leaves_what_was_there(kind: str, number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "results" / "model.nrw"
    path.parent.mkdir()
    path.write_bytes(b"before")
    examples = ROOT / "sw" / "examples"
    with np.load(examples / "digits.npz") as arrays:
        np.savez(tmp_path / "calib.npz", x=arrays["calib_x"][:16])
    arguments = [str(tmp_path / "calib.npz"), str(examples / "digits.onnx"), "--preset", "medium", "-o", str(path)]
    command = [sys.executable, "-c", *((COMPILE, *arguments) if kind == "compile" else (SAVE, str(path)))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line == "ready\n" for line in process.stdout)
        process.send_signal(number)
        assert process.wait(30) == (128 + number if number is signal.SIGTERM else -number)
    assert path.read_bytes() == b"before"
    if number is signal.SIGTERM:
        assert list(path.parent.iterdir()) == [path]


SCRATCH = {
    "boards/litedram.py": "a scratch folder",
    "boards/litedram_run.py": "the same, in a process of its own",
    "boards/placing.py": "a scratch folder",
    "boards/plan.py": "inputs of tools, written anew by every build",
    "sim/board/build.py": "a build's scratch folder",
    "sim/board/virtual_board.py": "a scratch folder",
    "sim/cosim/builders.py": "a build's scratch folder",
    "sim/cosim/bench_process.py": "a run's log",
    "sim/cosim/session.py": "a run's scratch folder",
    "sim/cosim/simulators.py": "a build's scratch folder",
    "sim/verilated.py": "a build's scratch folder",
    "sw/api/proto.py": "a folder of this process",
    "sw/cli/app.py": "the report of a fault, of a new name",
    "sw/files.py": "the way itself",
    "sw/results.py": "an archive in memory",
    "sw/tasks/helper.py": "the pipe of its answers",
    "sw/toolchain/place_and_route.py": "a scratch folder",
    "sw/toolchain/programs.py": "what a tool says",
    "sw/toolchain/synthesis.py": "a scratch folder, a log of a new name",
}
"""Files that write in another way, and why they may."""


def test_all_else_is_written_in_that_way() -> None:
    sources = [path for tree in ("boards", "hw", "sim", "sw") for path in (ROOT / tree).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in sources if any(other_writes(path.read_text("utf-8")))}
    assert found == set(SCRATCH)


def other_writes(source: str) -> Iterator[int]:
    """Lines with a call that writes a file by its name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [part.value for part in given if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            opened = name.rpartition(".")[2] in ("open", "fdopen", "NamedTemporaryFile")
            writes = any(set(text) <= set("wxab+t") and set(text) & set("wxa") for text in texts)
            if (opened and writes) or name.endswith((".write_text", ".write_bytes", ".tofile", "np.savez", "np.save")):
                yield node.lineno
