"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["new_file", "write_whole"]


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write; at the end of the block it takes the place of ``path``, after an exception nothing does.

    Its bytes are on the disk before it has its name, so that no crash leaves half of it under that name.

    Raises
    ------
    OSError
        If it cannot be written (a full disk, no such folder); it names ``path``.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:100]}.", delete=False) as file:
            scratch = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                # A temporary file is private to its owner; a result is as public as any new file.
                umask = os.umask(0)
                os.umask(umask)
                scratch.chmod(0o666 & ~umask)
                scratch.replace(path)
            except BaseException:
                scratch.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; OSError that names it if that fails."""
    with new_file(path) as file:
        file.write(data)
