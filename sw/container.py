"""The container of ``.nrw`` files: a header with the contents' SHA-256, and an archive of a manifest and arrays."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.registers import VERSION
from .archives import read_array
from .errors import InputError, ProgramError, ProgramMismatch

__all__ = ["FILE_VERSION", "contained", "pack_container"]

FILE_VERSION = 4
"""Version of the file's layout."""

_MAGIC = b"\x89NRW\r\n\x1a\n"  # the line ends and the high bit show a file that was sent as text
_HEADER = struct.Struct("<8sIQ32s")  # magic, file version, bytes of payload, SHA-256 of the payload
_EPOCH, _SYSTEM = (1980, 1, 1, 0, 0, 0), 3  # the same program gives the same bytes, whenever and wherever it is written

Contents = TypeVar("Contents")


def pack_container(manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Contents of a file, equal for equal arguments; ``manifest`` are values of JSON, to which the contract's version
    is added."""
    members = {"manifest.json": json.dumps({"contract": VERSION, **manifest}, indent=1).encode()}
    for name, array in arrays.items():
        members[f"{name}.npy"] = _npy(array)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = _SYSTEM
            archive.writestr(member, content)  # stored: what deflate gives depends on the zlib at hand
    payload = buffer.getvalue()
    return _HEADER.pack(_MAGIC, FILE_VERSION, len(payload), hashlib.sha256(payload).digest()) + payload


def contained(data: bytes, name: str, make: Callable[[dict[str, Any], dict[str, NDArray[Any]]], Contents]) -> Contents:
    """What ``make`` makes of the manifest and the arrays of a file; ``name`` is what error messages call it.

    Raises
    ------
    ProgramMismatch
        If the file or the contract it was written for has another version.
    ProgramError
        If it is not a program, truncated, damaged or makes no sense.
    InputError
        If ``make`` raises it.
    """
    payload = _checked_payload(data, name)
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            arrays = {
                member.filename.removesuffix(".npy"): _array(archive, member)
                for member in archive.infolist()
                if member.filename.endswith(".npy")
            }
        contract = manifest["contract"]
        if contract == VERSION:
            return make(manifest, arrays)
    except InputError:
        raise
    except ProgramError as error:
        raise ProgramError(f"{name} makes no sense: {error}") from error
    except Exception as error:  # zipfile, json, numpy and our own checks each raise their own kinds
        raise ProgramError(f"{name} makes no sense ({error}): compile the model again") from error
    raise ProgramMismatch(
        f"{name} was written for version {contract} of the machine, this is version {VERSION}: compile the model again"
    )


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    np.lib.format.write_array(buffer, little, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type != zipfile.ZIP_STORED:  # so that a small file needs little memory
        raise ValueError(f"{member.filename} is compressed")
    with archive.open(member) as file:
        return read_array(file, member.file_size)


def _checked_payload(data: bytes, name: str) -> bytes:
    if not data.startswith(_MAGIC[: max(len(data), 1)]):
        raise ProgramError(f"{name} is not a narrows program: compile a model to get one")
    if len(data) < _HEADER.size:
        raise ProgramError(f"{name} is truncated ({len(data)} bytes): compile the model again")
    _, version, length, digest = _HEADER.unpack_from(data)
    if version != FILE_VERSION:
        raise ProgramMismatch(
            f"{name} has version {version} of the file format, this is version {FILE_VERSION}: "
            f"{'update narrows or ' if version > FILE_VERSION else ''}compile the model again"
        )
    payload = data[_HEADER.size :]
    if len(payload) < length:
        raise ProgramError(f"{name} is truncated ({len(payload)} of {length} bytes): compile the model again")
    if len(payload) > length or hashlib.sha256(payload).digest() != digest:
        raise ProgramError(f"{name} is damaged (its SHA-256 does not match): compile the model again")
    return payload
