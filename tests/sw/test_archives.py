"""Numpy archives: what is read, and one line for every kind of damage, within bounds of memory."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrows.sw.archives import read_archive
from narrows.sw.errors import InputError

_ARRAYS = {
    "x": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "columns": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    "empty": np.zeros((0, 5), dtype=np.uint8),
    "single": np.array(7),
    "names": np.array(["a", "bc"]),
}


def archive(path: Path, *, compressed: bool = False, **arrays: Any) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_those_of_numpy(tmp_path: Path, compressed: bool) -> None:
    found = read_archive(archive(tmp_path / "a.npz", compressed=compressed, **_ARRAYS))
    assert found.keys() == _ARRAYS.keys()
    for name, array in _ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
        assert found[name].flags.writeable


def test_objects_and_records_are_refused(tmp_path: Path) -> None:
    for array in (np.array([{}], dtype=object), np.zeros(2, dtype=[("a", "i4")])):
        with pytest.raises(InputError, match="is not a numpy archive of plain arrays"):
            read_archive(archive(tmp_path / "a.npz", x=array))


def _npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("shape", ["(1099511627776,)", "(65536, 65536, 65536, 65536)", "(-1,)", "(3,)"])
def test_a_header_cannot_promise_more_than_is_there(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", _npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}") + b"\0" * 16)
    tracemalloc.start()
    with pytest.raises(InputError, match="is not a numpy archive of plain arrays"):
        read_archive(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_directory_cannot_promise_more_than_is_there(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", x=np.zeros(4))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 0x7FFFFFFF)  # size when uncompressed
    path.write_bytes(data)
    with pytest.raises(InputError, match="is not a numpy archive of plain arrays"):
        read_archive(path)


def test_encryption_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", x=np.zeros(4))
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="is encrypted"):
        read_archive(path)


def test_a_single_array_and_no_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(InputError, match="is a single array: save it as an archive"):
        read_archive(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"cannot read .*: No such file"):
        read_archive(tmp_path / "none.npz")


def _bytes_of(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **_ARRAYS)  # type: ignore[arg-type]
    return buffer.getvalue()


@settings(max_examples=300)
@given(compressed=st.booleans(), data=st.data())
def test_any_damage_gives_arrays_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, compressed: bool, data: st.DataObject
) -> None:
    whole = bytearray(_bytes_of(compressed))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    with contextlib.suppress(InputError):
        read_archive(path)
