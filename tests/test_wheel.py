"""The wheel and the sources that are published hold all that they need, outside of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).parents[1]
FILES = (
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
)
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def build(kind: str, sources: Path, into: Path) -> Path:
    """What one of the build back end's functions makes of sources."""
    into.mkdir()
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-c", BUILD, kind, str(into)]
    found = subprocess.run(command, cwd=sources, env=environment, check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    (made,) = into.iterdir()
    return made


def copied(place: Path) -> Path:
    """What is published, in a folder of its own: a build leaves folders behind."""
    place.mkdir()
    for name in ("hw", "sw", "sim", "boards"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, place / name)
    return place


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sources, and the wheel that is made from these alone."""
    place = tmp_path_factory.mktemp("wheel")
    sources = build("build_sdist", copied(place / "copy"), place / "sdist")
    with tarfile.open(sources) as archive:
        archive.extractall(place / "empty", filter="data")
    (unpacked,) = (place / "empty").iterdir()
    return sources, build("build_wheel", unpacked, place / "wheel")


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
    assert wanted | set(FILES) <= found


def test_the_wheel_is_the_same_bytes_whenever_and_wherever_it_is_made(built: tuple[Path, Path], tmp_path: Path) -> None:
    sources = copied(tmp_path / "later")
    for path in sources.rglob("*"):
        os.utime(path, (1800000000, 1800000000))
    assert build("build_wheel", sources, tmp_path / "wheel").read_bytes() == built[1].read_bytes()


def test_the_runtime_is_numpy_and_a_link_and_little_beside_them(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        size = sum(member.file_size for member in archive.infolist())
        (about,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(about).decode().partition("\n\n")[0].splitlines()
    needed = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    runtime = [re.split(r"\W", each)[0] for each in needed if "extra ==" not in each or 'extra == "run"' in each]
    assert runtime == ["numpy", "pyserial", "pyftdi"]
    assert size < 4_000_000  # of the 60 MB that docs/runtime.md gives it, numpy takes 53 and the links take one


def test_a_package_index_takes_both(built: tuple[Path, Path]) -> None:
    pytest.importorskip("twine")
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


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
