"""Builds that are kept: made in a scratch folder, found again under the hash of what they were made from."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..sw.files import on_disk

__all__ = ["cache_folder", "kept_build"]

_SCRATCH = re.compile(r"\.building-(\d+)-")
_LOG_SECONDS = 24 * 3600  # how long the log of a failed build can be read


def cache_folder() -> Path:
    """Where builds are kept: ``$NARROWS_CACHE``, else ``$XDG_CACHE_HOME/narrows``, else ``~/.cache/narrows``."""
    if chosen := os.environ.get("NARROWS_CACHE"):
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "narrows"


def kept_build(place: Path, build: Callable[[Path], Sequence[str]], failure: type[Exception] | tuple[()] = ()) -> Path:
    """The folder of a build, made now if it is not there.

    Several processes may ask for one build at once: each makes it, the first one's stays. What a killed process left
    goes when the next build is made.

    Parameters
    ----------
    place : Path
        The folder; its name says what was built.
    build : callable
        Builds in the folder that it is called with, whose path has no white space (makefiles know no such names), and
        returns the names of the files to keep.
    failure : exception, optional
        What ``build`` raises to leave its scratch folder with a log; after any other exception the folder goes.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep(place.parent)
    prefix = f".building-{os.getpid()}-{place.name}."
    plain = not re.search(r"\s", str(place.parent))
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent if plain else None))
    finished = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent))
    try:
        for product in build(scratch):
            shutil.move(scratch / product, finished / Path(product).name)
            on_disk(finished / Path(product).name)
    except failure:
        shutil.rmtree(finished, ignore_errors=True)
        raise
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(finished, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        finished.replace(place)
    except OSError:  # another process was quicker: its build is as good
        shutil.rmtree(finished, ignore_errors=True)
    return place


def _sweep(folder: Path) -> None:
    """Remove scratch folders of processes that have ended, but for those whose log may still be wanted."""
    for path in folder.glob(".building-*"):
        found = _SCRATCH.match(path.name)
        with contextlib.suppress(OSError):  # somebody else is removing it
            wanted = any(path.glob("*.log")) and time.time() - path.stat().st_mtime < _LOG_SECONDS
            if found is not None and not wanted and not _lives(int(found[1])):
                shutil.rmtree(path, ignore_errors=True)


def _lives(process: int) -> bool:
    if sys.platform == "win32":
        return True  # a signal of 0 would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
