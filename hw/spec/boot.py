"""Boot images: a program as the writes that load it, kept in a flash memory, from which a core loads itself."""

from __future__ import annotations

import enum
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .config import AcceleratorConfig
from .errors import NarrowsError
from .registers import Region, region_depth, region_stride

__all__ = [
    "BOOT_MAGIC",
    "BYTE_ADDRESS_BITS",
    "COUNT_BITS",
    "FLASH_HZ",
    "HEADER_WORDS",
    "REPEAT",
    "REST_CYCLES",
    "BootError",
    "BootState",
    "decode_image",
    "encode_image",
    "image_tag",
    "most_words",
]

# An image consists of 32-bit words, least significant byte first:
#
#     BOOT_MAGIC
#     words of all records together
#     records, each: byte address of the first word, with REPEAT or without; count; words
#     CRC-32 (ISO-HDLC, as zlib's) of all bytes before
#
# A record writes `count` words to consecutive addresses; with REPEAT one word follows, and is written `count` times.

BOOT_MAGIC = 0x3162726E
"""First word of an image: "nrb1"."""

HEADER_WORDS = 2
"""Words before the records."""

REPEAT = 1 << 31
"""Of a record's first word: all its words are the one that follows."""

BYTE_ADDRESS_BITS = 24
"""Of a read of the flash: 16 MiB."""

COUNT_BITS = 24
"""Of a record's count, and of the number of all words."""

FLASH_HZ = 33_000_000
"""Most that the flash is clocked with. Data leave a chip up to 8 ns after the clock's falling edge and are taken a
period after that; the rest is for the pins of the FPGA, either way."""

REST_CYCLES = 4096
"""Cycles after a flash was woken in which nothing is asked of it: 20 us at 200 MHz, of which chips need 3 to 5."""

_SHORTEST_RUN = 4
"""Equal words that are worth a record of their own: two records more take four words."""


class BootError(NarrowsError, ValueError):
    """What is no boot image; the message says why."""


class BootState(enum.IntEnum):
    """Low byte of `registers.Register.BOOT`: what became of the image behind the bitstream."""

    ABSENT = 0  # the core does not boot
    BOOTING = 1  # STATUS.BUSY is 1 meanwhile
    LOADED = 2
    EMPTY = 3  # nothing is there: the first word reads as all ones, as of an erased flash
    BAD_MAGIC = 4  # something else is there
    BAD_CRC = 5  # the image is damaged or cut short, or longer than the core's memories
    REPLACED = 6  # it was loaded, and a host has written to the instructions since


def encode_image(writes: Iterable[tuple[int, NDArray[np.uint32]]]) -> bytes:
    """Image of bursts of words.

    Parameters
    ----------
    writes : iterable of (int, array of uint32, shape (n,))
        Byte address of the first word, a multiple of 4, and the words; in their order.

    Raises
    ------
    ValueError
        If an address is not a multiple of 4.
    """
    records: list[NDArray[np.uint32]] = []
    for address, words in writes:
        if address % 4:
            raise ValueError(f"address 0x{address:x} is not a multiple of 4")
        for first, end, repeats in _pieces(words):
            head = [address + 4 * first | (REPEAT if repeats else 0), end - first]
            records += [np.array(head, dtype=np.uint32), words[first : first + 1 if repeats else end]]
    body = np.concatenate([np.zeros(0, dtype=np.uint32), *records])
    image = np.concatenate([np.array([BOOT_MAGIC, len(body)], dtype=np.uint32), body]).astype("<u4").tobytes()
    return image + zlib.crc32(image).to_bytes(4, "little")


def _pieces(words: NDArray[np.uint32]) -> list[tuple[int, int, bool]]:
    """Ranges that make a burst up, and whether all words of one are equal."""
    edges = np.flatnonzero(np.diff(words)) + 1
    firsts = np.concatenate([np.zeros(1, dtype=np.int64), edges])
    ends = np.concatenate([edges, np.full(1, len(words), dtype=np.int64)])
    pieces, done = [], 0
    for run in np.flatnonzero(ends - firsts >= _SHORTEST_RUN):
        first, end = int(firsts[run]), int(ends[run])
        if done < first:
            pieces.append((done, first, False))
        pieces.append((first, end, True))
        done = end
    if done < len(words):
        pieces.append((done, len(words), False))
    return pieces


def decode_image(image: bytes) -> list[tuple[int, NDArray[np.uint32]]]:
    """Bursts of an image, as `encode_image` takes them, one for each record; what lies behind the image is not looked
    at.

    Raises
    ------
    BootError
        If there is no image, or it is damaged or cut short.
    """
    words = np.frombuffer(image[: len(image) // 4 * 4], dtype="<u4")
    if len(words) < HEADER_WORDS + 1 or words[0] != BOOT_MAGIC:
        raise BootError("no boot image: it does not begin as one")
    end = HEADER_WORDS + int(words[1])
    if end >= len(words):
        raise BootError(f"the boot image is cut short: {end + 1} words were written, {len(words)} are there")
    if zlib.crc32(words[:end].tobytes()) != words[end]:
        raise BootError("the boot image is damaged: its CRC-32 is another one")
    writes, at = [], HEADER_WORDS
    while at < end:
        head, count = int(words[at]), int(words[at + 1]) if at + 1 < end else 0
        stored = 1 if head & REPEAT else count
        at += 2
        if not count or at + stored > end:
            raise BootError("the boot image is malformed: a record reaches beyond its end")
        burst = np.full(count, words[at]) if head & REPEAT else words[at : at + count]
        writes.append((head & ~REPEAT, burst.astype(np.uint32)))
        at += stored
    return writes


def image_tag(image: bytes) -> int:
    """Bits 31:8 of `registers.Register.BOOT` once an image is loaded: those of its CRC-32."""
    return int.from_bytes(image[-4:], "little") >> 8


def most_words(config: AcceleratorConfig) -> int:
    """More words than the records of any image for a core: each memory filled once, and as much for the records."""
    beats = sum(region_depth(config, region) * region_stride(config, region) // 4 for region in Region)
    return 2 * beats
