"""Frames of the serial link: their bytes as docs/host_link.md gives them, and no harmed reply taken for a good one."""

from __future__ import annotations

import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.link import Command, LinkStatus
from narrows.sw.runtime.serial_frames import encode_request, parse_reply, reply_bytes


def reply(sequence: int, words: list[int], status: int) -> bytes:
    body = bytes([sequence, len(words)]) + b"".join(word.to_bytes(4, "little") for word in words) + bytes([status])
    return b"\x5a" + body + zlib.crc32(body).to_bytes(4, "little")


def test_requests_have_the_bytes_of_the_document() -> None:
    words = np.array([0x01020304, 0xA5], dtype=np.uint32)
    write = bytes.fromhex("a5 09 03 02 10004001 04030201 a5000000".replace(" ", ""))
    assert encode_request(Command.WRITE, sequence=9, address=0x1400010, words=words) == (
        write + zlib.crc32(write[1:]).to_bytes(4, "little")
    )
    read = bytes.fromhex("a5ff020714000000")
    assert encode_request(Command.READ, sequence=255, address=20, count=7) == (
        read + zlib.crc32(read[1:]).to_bytes(4, "little")
    )


@given(st.integers(0, 255), st.lists(st.integers(0, (1 << 32) - 1), max_size=128), st.sampled_from(LinkStatus))
def test_replies_are_read_back(sequence: int, words: list[int], status: LinkStatus) -> None:
    frame = reply(sequence, words, status)
    assert len(frame) == reply_bytes(len(words))
    parsed = parse_reply(frame)
    assert parsed is not None
    assert (parsed.sequence, parsed.status, parsed.words.tolist()) == (sequence, status, words)


@given(st.data())
def test_harmed_replies_are_none(data: st.DataObject) -> None:
    frame = reply(7, data.draw(st.lists(st.integers(0, (1 << 32) - 1), max_size=5)), LinkStatus.OK)
    place = data.draw(st.integers(0, len(frame) - 1))
    flipped = frame[:place] + bytes([frame[place] ^ 1 << data.draw(st.integers(0, 7))]) + frame[place + 1 :]
    for harmed in (flipped, frame[:place], frame[:place] + frame[place + 1 :], frame + b"\0"):
        assert parse_reply(harmed) is None


def test_an_unknown_status_is_no_reply() -> None:
    assert parse_reply(reply(7, [], 9)) is None
