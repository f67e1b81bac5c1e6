"""Damage to files: bytes changed, cut out, repeated or swapped, and programs whose checksum is made right again."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "DAMAGES",
    "damaged",
    "with_other_arrays",
    "with_other_chunks",
    "with_other_members",
    "with_other_value",
    "with_other_words",
    "with_right_checksum",
]

_PROGRAM_HEADER = struct.Struct("<8sIQ32s")
_EXTREMES: tuple[Any, ...] = (
    *(0, -1, 1, 2, 7, 255, 65536, 1 << 31, 1 << 40, 1 << 70, -(1 << 63), 0.5, 1e308, float("nan"), float("inf")),
    *(None, True, "", "x", "../x", "\0", [], [0], [[1]], {}, {"x": 1}),
)
_TOML_VALUES = (
    *("0", "-1", "1", "3", "99999", "9" * 30, "0x7f", "1.5", "nan", "-inf", "true", '""', '"x"', '"ice40"', '"int4"'),
    *("[]", "[1, 2]", "{}", "{ a = 1 }", "2026-01-01", "07:32:00", "1979-05-27T07:32:00Z", "'''a\\nb'''"),
)


@dataclass(eq=False)
class _Chunk:
    """Of a RIFF file: what it says of itself, and what there is."""

    name: bytes
    size: int
    data: bytearray


def _flip(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(1, 9))):
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return data


def _overwrite(data: bytearray, rng: np.random.Generator) -> bytearray:
    start, size = _span(data, rng)
    data[start : start + size] = rng.bytes(size) if rng.integers(2) else bytes([int(rng.integers(256))]) * size
    return data


def _truncate(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(len(data)))]


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    start, size = _span(data, rng)
    del data[start : start + size]
    return data


def _repeat(data: bytearray, rng: np.random.Generator) -> bytearray:
    start, size = _span(data, rng)
    data[start:start] = data[start : start + size] * int(rng.integers(1, 4))
    return data


def _number(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Somewhere a length, an offset or a count may stand: put an extreme one there."""
    size = int(rng.choice([1, 2, 4, 8]))
    value = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF])) if size == 1 else int(rng.integers(0, 1 << 16))
    value = value if rng.integers(2) else (1 << 8 * size) - 1 - value
    start = int(rng.integers(max(1, len(data) - size)))
    data[start : start + size] = value.to_bytes(size, "little")
    return data


DAMAGES: dict[str, Callable[[bytearray, np.random.Generator], bytearray]] = {
    "flip": _flip,
    "overwrite": _overwrite,
    "truncate": _truncate,
    "cut": _cut,
    "repeat": _repeat,
    "number": _number,
}
"""Kinds of damage by name: each takes some bytes and gives others."""


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with one to three kinds of damage."""
    result = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if result:
            result = DAMAGES[str(rng.choice(list(DAMAGES)))](result, rng)
    return bytes(result)


def with_right_checksum(program: bytes, rng: np.random.Generator) -> bytes:
    """A program file in which one to three values of the manifest or arrays are others, its checksum right again."""
    magic, version, _, _ = _PROGRAM_HEADER.unpack_from(program)
    with zipfile.ZipFile(io.BytesIO(program[_PROGRAM_HEADER.size :])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    for _ in range(int(rng.integers(1, 4))):
        if rng.integers(4):
            _change(manifest, rng)
        else:
            name = str(rng.choice([name for name in members if name.endswith(".npy")]))
            members[name] = _other_array(members[name], rng)
    members["manifest.json"] = json.dumps(manifest).encode()
    if not rng.integers(8):
        del members[str(rng.choice(list(members)))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    payload = buffer.getvalue()
    return _PROGRAM_HEADER.pack(magic, version, len(payload), hashlib.sha256(payload).digest()) + payload


def with_other_value(toml: bytes, rng: np.random.Generator) -> bytes:
    """A TOML file in which one value is another one, perhaps of another kind."""
    lines = toml.decode().splitlines()
    places = [index for index, line in enumerate(lines) if " = " in line]
    place = int(rng.choice(places))
    name = lines[place].partition(" = ")[0]
    lines[place] = f"{name} = {_TOML_VALUES[int(rng.integers(len(_TOML_VALUES)))]}"
    return ("\n".join(lines) + "\n").encode()


def with_other_arrays(archive: bytes, rng: np.random.Generator) -> bytes:
    """A numpy archive in which one array is another one, or has another name, packed anew."""
    with zipfile.ZipFile(io.BytesIO(archive)) as given:
        members = {name: given.read(name) for name in given.namelist()}
    name = str(rng.choice(list(members)))
    content = members.pop(name)
    kind = int(rng.integers(4))
    if kind == 0:
        content = _other_header(content, rng)
    elif kind == 1:
        name = str(rng.choice(["x.npy", "y.npy", "X.npy", "x", "../x.npy", ".npy", "a/x.npy"]))
    elif kind == 2:
        content = damaged(content, rng)
    else:
        content = _array_of(rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", int(rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as made:
        for each, data in [*members.items(), (name, content)]:
            made.writestr(each, data)
    return buffer.getvalue()


def with_other_members(archive: bytes, rng: np.random.Generator) -> bytes:
    """A ZIP archive of which one member is damaged, or missing, packed anew."""
    with zipfile.ZipFile(io.BytesIO(archive)) as given:
        members = {name: given.read(name) for name in given.namelist()}
    name = str(rng.choice(list(members)))
    content = members.pop(name)
    if rng.integers(4):
        members[name] = damaged(content, rng) if content else b"\1"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for each, data in members.items():
            made.writestr(each, data)
    return buffer.getvalue()


def with_other_chunks(sound: bytes, rng: np.random.Generator) -> bytes:
    """A WAV file in which chunks have other fields, lengths, names or places."""
    chunks: list[_Chunk] = []
    place = 12
    while place + 8 <= len(sound):
        size = int.from_bytes(sound[place + 4 : place + 8], "little")
        chunks.append(_Chunk(sound[place : place + 4], size, bytearray(sound[place + 8 :][:size])))
        place += 8 + size + size % 2
    for _ in range(int(rng.integers(1, 4))):
        chunk = chunks[int(rng.integers(len(chunks)))]
        kind = int(rng.integers(5))
        if kind == 0 and chunk.data:
            chunk.data = _number(chunk.data, rng)
        elif kind == 1:
            chunk.size = _count(rng, len(chunk.data))
        elif kind == 2:
            chunk.name = (b"fmt ", b"data", b"LIST", b"fact", bytes(4))[int(rng.integers(5))]
        elif kind == 3:
            chunks.insert(int(rng.integers(len(chunks) + 1)), _Chunk(b"LIST", 26, bytearray(rng.bytes(26))))
        else:
            chunks.remove(chunk)
            chunks.insert(int(rng.integers(len(chunks) + 1)), chunk)
    body = b"".join(
        each.name + each.size.to_bytes(4, "little") + each.data + bytes(len(each.data) % 2) for each in chunks
    )
    length = 4 + len(body) if rng.integers(4) else _count(rng, 4 + len(body))
    return b"RIFF" + length.to_bytes(4, "little") + b"WAVE" + body


def with_other_words(data: bytes, rng: np.random.Generator) -> bytes:
    """A file of aligned 32-bit words, as flatbuffers are, in which one to four of them are others: a little more or
    less, one of the file's own, or an extreme one."""
    result = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        place = 4 * int(rng.integers(len(result) // 4))
        before, kind = int.from_bytes(result[place : place + 4], "little"), int(rng.integers(3))
        if kind == 0:
            value = before + int(rng.choice([-8, -4, -1, 1, 4, 8]))
        elif kind == 1:
            other = 4 * int(rng.integers(len(result) // 4))
            value = int.from_bytes(result[other : other + 4], "little")
        else:
            value = _count(rng, before)
        result[place : place + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(result)


def _count(rng: np.random.Generator, right: int) -> int:
    """A number of 32 bits in the place of a length or an offset."""
    return int(rng.choice([0, 1, right + 1, max(0, right - 1), 2 * right, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])) % (
        1 << 32
    )


def _other_header(array: bytes, rng: np.random.Generator) -> bytes:
    """A .npy file whose header says something else of the same bytes."""
    size = int.from_bytes(array[8:10], "little")
    kind = str(
        rng.choice(["<f4", ">f8", "|u1", "|S3", "<U2", "|O", "<c8", "|b1", "<M8[s]", "|V4", "f2", "[('a', 'i4')]"])
    )
    shapes = (
        "(6,)",
        "()",
        "(0,)",
        "(-1,)",
        "(6, 8)",
        "(1 << 40,)",
        f"({1 << 62}, 4)",
        "(3, 0, 9)",
        "6",
        "(2.5,)",
        "[6]",
    )
    shape, fortran = str(rng.choice(shapes)), str(rng.choice(["False", "True", "0", "None"]))
    said = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    version = bytes([int(rng.choice([1, 1, 2, 3])), 0])
    width = 2 if version[0] == 1 else 4
    return array[:6] + version + len(said).to_bytes(width, "little") + said + array[10 + size :]


def _array_of(rng: np.random.Generator) -> bytes:
    """A .npy file of another kind and shape."""
    shape = tuple(int(length) for length in rng.integers(0, 9, int(rng.integers(0, 5))))
    kind = str(rng.choice(["f4", "f8", "u1", "i8", "c8", "?", "U3", "f2", "u8"]))
    buffer = io.BytesIO()
    np.save(buffer, rng.integers(0, 255, shape).astype(kind))
    return buffer.getvalue()


def _span(data: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(len(data)))
    return start, int(min(2 ** rng.uniform(0, 12), len(data) - start))


def _change(value: Any, rng: np.random.Generator) -> None:
    """One leaf or branch of a JSON value, somewhere, becomes another one."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = keys[int(rng.integers(len(keys)))]
        inner = value[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.1:
            break
        value = inner
    if isinstance(inner, int) and rng.integers(2):
        value[key] = inner + int(rng.choice([-2, -1, 1, 2, 1000]))
    elif rng.random() < 0.15:
        del value[key]
    else:
        value[key] = _EXTREMES[int(rng.integers(len(_EXTREMES)))]


def _other_array(content: bytes, rng: np.random.Generator) -> bytes:
    try:
        array = np.load(io.BytesIO(content))
    except Exception:  # damaged once already
        return damaged(content, rng)
    kind = int(rng.integers(5))
    if kind == 0 and array.size:
        flat = array.reshape(-1).copy()
        info = np.iinfo(array.dtype)
        for _ in range(int(rng.integers(1, 5))):
            place = int(rng.integers(flat.size))
            flat[place] = int(rng.choice([info.min, info.max, 0, 1])) if rng.integers(2) else flat[place] ^ 1
        array = flat.reshape(array.shape)
    elif kind == 1:
        array = array[: len(array) // 2] if array.ndim else array.reshape(1)
    elif kind == 2:
        array = array.astype(rng.choice(["f4", "u1", "i8", "u8"]))
    elif kind == 3:
        array = array[..., np.newaxis]
    else:
        return damaged(content, rng)
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
