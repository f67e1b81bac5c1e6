"""Kept builds: made once, whole or not at all, wherever the cache lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from narrows.sim.builds import cache_folder, kept_build


def build(scratch: Path) -> tuple[str, ...]:
    assert " " not in str(scratch)
    (scratch / "inner").mkdir()
    (scratch / "inner" / "product").write_text("made")
    (scratch / "leftover").touch()
    return ("inner/product",)


@pytest.mark.parametrize("folder", ["plain", "with a space"])
def test_products_are_kept_and_found_again(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder / "abc"
    assert kept_build(place, build) == place
    assert [path.name for path in place.iterdir()] == ["product"]
    assert list(place.parent.iterdir()) == [place]

    def never(scratch: Path) -> tuple[str, ...]:
        raise AssertionError("built twice")

    assert kept_build(place, never) == place


def test_a_failure_leaves_its_log_and_no_build(tmp_path: Path) -> None:
    def fail(scratch: Path) -> tuple[str, ...]:
        (scratch / "build.log").write_text("why")
        raise ValueError(str(scratch))

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is a path
        kept_build(tmp_path / "abc", fail, ValueError)
    assert (Path(str(caught.value)) / "build.log").read_text() == "why"
    assert not (tmp_path / "abc").exists()


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stop(scratch: Path) -> tuple[str, ...]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept_build(tmp_path / "abc", stop, ValueError)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="needs process numbers")
def test_scratch_of_the_dead_goes_and_that_of_the_living_stays(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    dead, logged, living = (
        tmp_path / f".building-{number}-{name}.x"
        for number, name in ((process.pid, "a"), (process.pid, "b"), (os.getpid(), "c"))
    )
    for path in (dead, logged, living):
        path.mkdir()
    (logged / "build.log").touch()
    kept_build(tmp_path / "abc", build)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([logged.name, living.name, "abc"])
    os.utime(logged, (0, 0))
    kept_build(tmp_path / "def", build)
    assert not logged.exists()


def test_where_builds_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NARROWS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "narrows"
    monkeypatch.setenv("NARROWS_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
