"""Files that appear whole or not at all: one way to write what outlives the program.

Scratch folders that go with whoever made them, and folders of inputs that a tool reads and the next build writes anew,
need none of it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .processes import stoppable

__all__ = ["new_file", "on_disk", "write_whole"]


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write; at the end of the block it takes the place of ``path``, after an exception nothing does.

    Its bytes are on the disk before it has its name, so that no crash leaves half of it under that name. A request to
    stop (SIGTERM) is such an exception; only a kill that nobody can answer may leave the scratch file beside ``path``.
    A link stays one, and what it points to is written. What is no file (a pipe, ``/dev/stdout``) is written as it is.

    Raises
    ------
    OSError
        If it cannot be written (a full disk, no such folder); it names ``path``.
    """
    target = Path(os.path.realpath(path))
    scratch = target.parent / f".{target.name[:40]}.{secrets.token_hex(6)}"
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        with stoppable():
            try:
                with scratch.open("xb") as file:
                    yield file
                on_disk(scratch)
                scratch.replace(target)
            except BaseException:
                scratch.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def on_disk(path: Path) -> None:
    """Wait until a file that was written is on the disk: what is renamed before may come back empty from a crash."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; OSError that names it if that fails."""
    with new_file(path) as file:
        file.write(data)
