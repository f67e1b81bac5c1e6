"""Frames of the serial link as bytes: requests made, replies checked."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.link import (
    CRC_BYTES,
    FRAME_BLOCK_WORDS,
    REPLY_HEAD_BYTES,
    REPLY_START,
    REQUEST_START,
    Command,
    LinkStatus,
)

__all__ = ["Reply", "asked_bytes", "encode_request", "parse_reply", "reply_bytes"]

_REQUEST_HEAD = struct.Struct("<BBBI")


@dataclass(frozen=True, kw_only=True, eq=False)
class Reply:
    """What a core answered: the sequence number of the request, how that ended, and the words read."""

    sequence: int
    status: LinkStatus
    words: NDArray[np.uint32]


def encode_request(
    command: Command, *, sequence: int, address: int = 0, count: int = 0, words: NDArray[np.uint32] | None = None
) -> bytes:
    """A request: ``count`` words to read, or ``words`` of shape (n,) to write, from a byte address on; those of a FRAME
    are filled up to whole blocks."""
    size = count if words is None else len(words)
    if command is Command.FRAME and words is not None:
        size = -(-len(words) // FRAME_BLOCK_WORDS)
        words = np.pad(words, (0, size * FRAME_BLOCK_WORDS - len(words)))
    body = _REQUEST_HEAD.pack(sequence, command, size, address)
    if words is not None:
        body += words.astype("<u4").tobytes()
    return bytes([REQUEST_START]) + body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")


def reply_bytes(words: int) -> int:
    """Length of a reply with so many words."""
    return REPLY_HEAD_BYTES + 4 * words + 1 + CRC_BYTES


def asked_bytes(request: bytes) -> int:
    """Length of the reply to a request of `encode_request` that is carried out."""
    return reply_bytes(0 if request[2] in (Command.WRITE, Command.FRAME) else request[3])


def parse_reply(frame: bytes) -> Reply | None:
    """The reply in a frame; None if it is no whole, unharmed reply."""
    if len(frame) < reply_bytes(0) or frame[0] != REPLY_START or len(frame) != reply_bytes(frame[2]):
        return None
    body, crc = frame[1:-CRC_BYTES], frame[-CRC_BYTES:]
    if zlib.crc32(body).to_bytes(CRC_BYTES, "little") != crc or body[-1] not in LinkStatus._value2member_map_:
        return None
    words = np.frombuffer(body[2:-1], dtype="<u4").astype(np.uint32)
    return Reply(sequence=body[0], status=LinkStatus(body[-1]), words=words)
