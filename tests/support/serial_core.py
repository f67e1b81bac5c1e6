"""SerialCore: the core's end of the serial link, written from docs/host_link.md, in front of any other transport."""

from __future__ import annotations

import zlib

import numpy as np
from narrows.sw.runtime import Transport, TransportError, run_sync

__all__ = ["SerialCore"]


class SerialCore:
    """Takes bytes and gives bytes; a call of `silence` is a gap on the line.

    Parameters
    ----------
    behind : Transport
        What carries accesses out; it must never suspend.
    hello : list of int
        Words of a HELLO.
    """

    def __init__(self, behind: Transport, hello: list[int]) -> None:
        self.behind, self.hello = behind, hello
        self.reset()
        self.carried_out: list[int] = []
        """Addresses of the writes carried out."""

    def reset(self) -> None:
        """What a reset of the core does to the link."""
        self._frame, self._draining = bytearray(), False
        self._open, self._last, self._status = False, -1, 0

    @property
    def idle(self) -> bool:
        """Whether it waits for a new frame."""
        return not self._frame and not self._draining

    def silence(self) -> None:
        """The line was quiet for a gap."""
        self._frame.clear()
        self._draining = False

    def take(self, data: bytes) -> bytes:
        """What the core answers to bytes without a gap between them."""
        answer = b""
        for byte in data:
            if not self._draining and (self._frame or byte == 0xA5):
                self._frame.append(byte)
                answer += self._look()
        return answer

    def _look(self) -> bytes:
        frame = self._frame
        if len(frame) < 8:
            return b""
        sequence, command, count = frame[1:4]
        size = 12 + {3: 4, 4: 64}.get(command, 0) * count
        if not 1 <= count <= (255 if command == 4 else 128):
            self._draining = True
            return b""
        if len(frame) < size:
            return b""
        body, crc = bytes(frame[1 : size - 4]), bytes(frame[size - 4 :])
        frame.clear()
        if zlib.crc32(body).to_bytes(4, "little") != crc:
            self._draining = True
            return b""
        words = self._carry_out(sequence, command, count, int.from_bytes(body[3:7], "little"), body[7:])
        head = bytes([sequence, len(words)])
        reply = head + b"".join(word.to_bytes(4, "little") for word in words) + bytes([self._status])
        return b"\x5a" + reply + zlib.crc32(reply).to_bytes(4, "little")

    def _carry_out(self, sequence: int, command: int, count: int, address: int, payload: bytes) -> list[int]:
        if self._open and command == 3 and sequence == self._last:
            return []
        self._last, self._status = sequence, 0
        if command == 1:
            self._open = True
            return (self.hello + [0] * count)[:count]
        if not self._open:
            self._status = 2
        elif command not in (2, 3, 4):
            self._status = 3
        elif command == 4 and address >> 22 != 9:
            self._status = 1
        else:
            try:
                if command == 2:
                    return run_sync(self.behind.read(address, count)).tolist()
                self.carried_out.append(address)
                run_sync(self.behind.write(address, np.frombuffer(payload, dtype="<u4").astype(np.uint32)))
            except TransportError:
                self._status = 1
                return [0] * count if command == 2 else []
        return []
