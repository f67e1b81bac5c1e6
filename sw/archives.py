"""Numpy archives read with suspicion: bounded by what the file itself holds, and one kind of error for all damage."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

__all__ = ["read_archive", "read_array"]

_KINDS = "biufcU"  # what can be samples or labels; others would be refused later in any case
_NPY = b"\x93NUMPY"
_MOST_DEFLATED = 1032  # bytes that deflate can make of one, by its format


def read_archive(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of an archive of ``numpy.savez`` or ``numpy.savez_compressed``, by name.

    Raises
    ------
    InputError
        If the file cannot be read, is no such archive, is damaged or encrypted, holds anything but plain arrays, or
        more than this machine's memory.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_NPY))
            if start == _NPY:
                raise InputError(f"{path} is a single array: save it as an archive, numpy.savez(FILE, x=samples)")
            return _arrays(file, path)
    except (InputError, MemoryError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        raise _damaged(path, error) from error  # numpy and zipfile raise some of their own as OSError
    except Exception as error:  # zipfile, zlib, lzma and numpy each raise their own kinds for damaged bytes
        raise _damaged(path, error) from error


def read_array(file: IO[bytes], size: int) -> NDArray[Any]:
    """The array of a ``.npy`` file of ``size`` bytes, which its header has to agree with before memory is taken.

    Raises
    ------
    ValueError
        If it does not, or the array holds Python objects or records.
    """
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version} of numpy's file format is unknown")
    shape, fortran, dtype = read(file)
    if dtype.kind not in _KINDS:
        raise ValueError(f"an array of {dtype} is not one of plain numbers")
    count = math.prod(shape)
    if any(length < 0 for length in shape) or file.tell() + count * dtype.itemsize != size:
        raise ValueError(f"its header says {shape} of {dtype}, but {size} bytes are there")
    reader: Any = file  # all of zipfile and io can read into memory that is there, which typing's IO leaves open
    flat = np.empty(count, dtype=dtype)
    rest = flat.view(np.uint8).data if flat.nbytes else memoryview(b"")
    while rest:
        if not (done := reader.readinto(rest)):
            raise ValueError("it is truncated")
        rest = rest[done:]
    return flat.reshape(shape[::-1]).transpose() if fortran else flat.reshape(shape)


def _arrays(file: IO[bytes], path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if any(member.file_size > _MOST_DEFLATED * (member.compress_size + 1) for member in members):
            raise ValueError("its directory promises more than the file can hold")
        needed, memory = sum(member.file_size for member in members), _memory_bytes()
        if needed > memory:
            raise InputError(
                f"{path} holds {needed / 2**30:,.1f} GiB of arrays, this machine has {memory / 2**30:,.1f} GiB of "
                "memory: give fewer samples"
            )
        arrays = {}
        for member in members:
            if member.flag_bits & 1:
                raise InputError(f"{path} is encrypted: save it as numpy.savez(FILE, x=samples)")
            with archive.open(member) as content:
                arrays[member.filename.removesuffix(".npy")] = read_array(content, member.file_size)
        return arrays


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system: no limit known
        return 1 << 62


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(
        f"{path} is not a numpy archive of plain arrays ({reason[:120]}): save it as numpy.savez(FILE, x=samples)"
    )
