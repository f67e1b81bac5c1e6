"""kept_heap: arrays that come and go without the operating system, which takes a fifth of the time of large graphs."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

__all__ = ["kept_heap"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # <malloc.h>
_LARGEST = (1 << 31) - 1
_USUAL = (1 << 26, 1 << 25)
"""Both thresholds where programs with large arrays get to by themselves."""


@contextlib.contextmanager
def kept_heap() -> Iterator[None]:
    """Memory that arrays give back stays with the process until the block is left, in the whole process.

    What comes from the system comes page by page, cleared. Of a C library other than GNU's nothing is asked.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    _set(library, _LARGEST, _LARGEST)
    try:
        yield
    finally:
        _set(library, *_USUAL)
        library.malloc_trim(ctypes.c_size_t(0))


def _set(library: ctypes.CDLL, trim: int, mapped: int) -> None:
    library.mallopt(_TRIM_THRESHOLD, trim)
    library.mallopt(_MMAP_THRESHOLD, mapped)
