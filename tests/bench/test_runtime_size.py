"""bench/runtime_size.py: every file that pip has recorded is counted, byte code apart, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import runtime_size
from runtime_size import Row, installed, sizes


def put(site: Path, name: str, files: dict[str, int]) -> int:
    """Bytes of what says the package's name, after it and its files have been put into a folder."""
    about = f"{name}-1.0.dist-info"
    for path, size in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(bytes(size))
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    (site / about).mkdir(parents=True)
    (site / about / "METADATA").write_text(text)
    (site / about / "RECORD").write_text("".join(f"{path},,\n" for path in (*files, f"{about}/METADATA")))
    return len(text)


def test_files_are_counted_by_package(tmp_path: Path) -> None:
    some = put(tmp_path, "some", {"some/a.py": 100, "some.libs/b.so": 3000, "some/__pycache__/a.cpython-311.pyc": 70})
    large = put(tmp_path, "large", {"large/a.py": 9000, "../../bin/large": 5})
    (tmp_path / "some" / "left.bin").write_bytes(bytes(500))
    (tmp_path / "some" / "a.py").unlink()
    assert sizes(tmp_path) == [
        Row(package="large 1.0", files=9005 + large, byte_code=0),
        Row(package="some 1.0", files=3000 + some, byte_code=70),
    ]


def test_the_runtime_alone_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []

    def ran(command: list[str | Path], *, check: bool) -> None:
        assert check
        commands.append(list(map(str, command)))
        (tmp_path / "env" / "lib" / "python3.12" / "site-packages").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(runtime_size.subprocess, "run", ran)
    site = installed(tmp_path / "a.whl", "python3.12", tmp_path / "env")
    assert site == tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    assert commands[0] == ["python3.12", "-m", "venv", "--without-pip", str(tmp_path / "env")]
    assert commands[1][3:5] == ["--python", str(tmp_path / "env" / "bin" / "python")]
    assert commands[1][-1] == f"{tmp_path / 'a.whl'}[run]"
