"""The wheel and the sources that are published hold all that they need, outside of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sources and wheel, built from a copy: a build leaves folders behind."""
    place = tmp_path_factory.mktemp("wheel")
    copy = place / "copy"
    copy.mkdir()
    for name in ("hw", "sw", "sim", "boards"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    for kind in ("build_sdist", "build_wheel"):
        (place / kind).mkdir()
        command = [sys.executable, "-c", BUILD, kind, str(place / kind)]
        found = subprocess.run(command, cwd=copy, check=False, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
    (sources,), (wheel,) = ((place / kind).iterdir() for kind in ("build_sdist", "build_wheel"))
    return sources, wheel


def test_the_wheel_holds_every_file_of_the_trees(built: tuple[Path, Path]) -> None:
    sources, wheel = built
    wanted = {
        path.relative_to(ROOT).as_posix()
        for tree in ("hw", "sw", "sim", "boards")
        for path in (ROOT / tree).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        members = {name.removeprefix("narrows/") for name in archive.namelist() if name.startswith("narrows/")}
    assert members == {name.removeprefix("sw/package/") for name in wanted}
    with tarfile.open(sources) as archive:
        found = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert wanted | {"pyproject.toml", "README.md", "LICENSE"} <= found


def test_the_demo_runs_from_the_wheel(built: tuple[Path, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        archive.extractall(tmp_path / "installed")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    where = [sys.executable, "-c", "import narrows; print(narrows.__file__, narrows.__version__)"]
    shown = subprocess.run(where, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
    assert shown.startswith(str(tmp_path / "installed"))
    demo = [sys.executable, "-m", "narrows", "demo", "--engine", "isa", "--no-synthesis", "--images", "5"]
    found = subprocess.run(demo, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "build" / "demo" / "index.html").exists()
