"""Files of results: texts, JSON, numpy archives, each whole or not at all, in folders that are made for them."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import write_whole
from .names import archive_member

__all__ = ["writable_folder", "write_arrays", "write_json", "write_text"]


def writable_folder(path: Path) -> None:
    """Make sure before long work that ``path`` can be written, in a folder that is there or can be made; or OSError."""
    if path.is_dir():
        raise IsADirectoryError(21, "this is a folder: name a file to write", str(path))
    if path.exists() and not path.is_file():  # a pipe, a terminal
        return
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(20, "this is a file, not a folder to write to", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "this folder cannot be written to", str(folder))


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    _write(path, text.encode())


def write_json(path: Path | None, content: Any) -> None:
    """Write a JSON file whole or not at all; None: do nothing."""
    if path is not None:
        _write(path, (json.dumps(content, indent=2, default=_plain) + "\n").encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a numpy archive whole or not at all; its members are named as :func:`~.names.archive_member` says."""
    buffer, taken = io.BytesIO(), set()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = archive_member(name)
            while member in taken:
                member += "_"
            taken.add(member)
            with archive.open(f"{member}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    _write(path, buffer.getvalue())


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def _write(path: Path, data: bytes) -> None:
    writable_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
