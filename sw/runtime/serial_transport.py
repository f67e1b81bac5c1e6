"""SerialTransport: a core behind a serial line, whatever the line does to single bytes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.link import (
    CRC_BYTES,
    FRAME_BLOCK_WORDS,
    GAP_BITS,
    HEADER_BYTES,
    LINK_VERSION,
    MAX_WORDS,
    REPLY_HEAD_BYTES,
    REPLY_START,
    Command,
    Hello,
    LinkStatus,
)
from ...hw.spec.registers import MAGIC, REGION_BITS, STORE_REGION, Register, Status
from ...hw.spec.transfer import PAGE
from .serial_frames import Reply, encode_request, parse_reply, reply_bytes
from .serial_line import SerialLine
from .transport import Transport, TransportError

__all__ = ["ATTEMPTS", "LinkInfo", "SerialTransport"]

ATTEMPTS = 8
"""How often a request is sent before the link counts as dead."""

_WINDOW_BYTES = 1 << REGION_BITS
_IN_FLIGHT = 32  # requests, on a line that holds bytes back: 16 KB of words
_BYTE_BITS = 10
_FRAME_WORDS = 255 * FRAME_BLOCK_WORDS  # as many blocks as a byte counts
_MOST_HEARD = 4 * reply_bytes(MAX_WORDS)  # bytes after which what talks on the line is not a core that answers
_PATIENCE_BITS = GAP_BITS + GAP_BITS // 4  # silence after which a core has given up whatever it heard
_POLL_WORDS = (Register.CYCLES.offset - Register.STATUS.offset) // 4 + 1
_POLL_BITS = _BYTE_BITS * (1 + HEADER_BYTES + CRC_BYTES + reply_bytes(_POLL_WORDS))


@dataclass(frozen=True, kw_only=True)
class LinkInfo:
    """What a core says of itself.

    Parameters
    ----------
    config : int
        First 32 bits of the digest of its configuration.
    build : int
        ``AcceleratorConfig.build32``.
    version : int
        Version of the contract.
    max_words : int
        Most words of a burst.
    divisor : int
        Its clock cycles to a bit.
    """

    config: int
    build: int
    version: int
    max_words: int
    divisor: int


@dataclass(frozen=True, eq=False)
class _Request:
    """What is asked of a core: ``count`` words to read, or ``words`` to write, from a byte address on."""

    command: Command
    address: int = 0
    _: KW_ONLY
    count: int = 0
    words: NDArray[np.uint32] | None = None

    def frame(self, sequence: int) -> bytes:
        """As bytes."""
        return encode_request(self.command, sequence=sequence, address=self.address, count=self.count, words=self.words)

    def checked(self, reply: Reply) -> Reply:
        """A reply that says it was done; TransportError otherwise."""
        if reply.status is LinkStatus.NO_SESSION:
            raise TransportError("the core was reset: open the link and load the program again")
        if reply.status is LinkStatus.REFUSED:
            size = self.count if self.words is None else len(self.words)
            raise TransportError(f"the core refused an access within {size} words from address {self.address:#x}")
        if reply.status is LinkStatus.OK and len(reply.words) == self.count:
            return reply
        raise TransportError(f"the core answered a {self.command.name} with {reply.status.name}: generate it again")


class SerialTransport(Transport):
    """Bursts as requests, each repeated until it is answered; `open` makes one.

    A request that the core carried out but whose answer was lost is repeated, too, and not carried out again.

    Parameters
    ----------
    line : SerialLine
    info : LinkInfo
        What the core said.
    sequence : int
        Sequence number of the last request.
    """

    def __init__(self, line: SerialLine, info: LinkInfo, *, sequence: int) -> None:
        self._line, self.info, self._sequence = line, info, sequence
        self._heard = 0
        self.repeated = 0
        """Requests sent again so far."""

    @classmethod
    async def open(cls, line: SerialLine, *, sequence: int = 0) -> SerialTransport:
        """Begin a session with a core, once what an earlier host may have left on the line has run out.

        Raises
        ------
        TransportError
            If none answers, or one that speaks another version of the link.
        """
        unknown = LinkInfo(config=0, build=0, version=0, max_words=MAX_WORDS, divisor=1)
        transport = cls(line, unknown, sequence=sequence)
        await transport._settle()
        reply = await transport._request(_Request(Command.HELLO, count=len(Hello)))
        words = [int(word) for word in reply.words]
        if words[Hello.MAGIC] != MAGIC:
            raise TransportError(f"no narrows core on the line: it says 0x{words[Hello.MAGIC]:08x}")
        version, most = divmod(words[Hello.LINK], 1 << 16)
        if version != LINK_VERSION:
            raise TransportError(
                f"the core speaks version {version} of the link, not {LINK_VERSION}: generate it again"
            )
        divisor = words[Hello.DIVISOR]
        if not (1 <= most <= MAX_WORDS and divisor):
            raise TransportError(
                f"what answers on the line is no narrows core: it takes {most} words at once and {divisor} cycles a bit"
            )
        transport.info = LinkInfo(
            config=words[Hello.CONFIG],
            build=words[Hello.BUILD],
            version=words[Hello.VERSION],
            max_words=most,
            divisor=divisor,
        )
        return transport

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words; raises as `Transport.write` does, and if the core does not answer or was reset."""
        values = np.asarray(values, dtype=np.uint32)
        await self._requests(
            [
                _Request(Command.WRITE, address + 4 * first, words=values[first : first + self.info.max_words])
                for first in range(0, len(values), self.info.max_words)
            ]
        )

    async def write_frame(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words of a frame memory in as few requests as can be; raises as :meth:`write` does."""
        values = np.asarray(values, dtype=np.uint32)
        for first in range(0, len(values), _FRAME_WORDS):
            words = values[first : first + _FRAME_WORDS]
            await self._request(_Request(Command.FRAME, address + 4 * first, words=words))

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words; raises as :meth:`write` does."""
        replies = await self._requests(
            [
                _Request(Command.READ, address + 4 * first, count=min(self.info.max_words, count - first))
                for first in range(0, count, self.info.max_words)
            ]
        )
        return np.concatenate([np.empty(0, dtype=np.uint32), *(reply.words for reply in replies)])

    async def write_backing(self, address: int, values: NDArray[np.uint32]) -> None:
        """Write words of the backing store, through the core; raises as :meth:`write` does."""
        values = np.asarray(values, dtype=np.uint32)
        async with self._window() as reach:
            for first in range(0, len(values), self._line.store_words):
                words = values[first : first + self._line.store_words]
                place = await reach(address + 4 * first, len(words))
                await self._request(_Request(Command.WRITE, place, words=words))

    async def read_backing(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words of the backing store, through the core; raises as :meth:`write` does."""
        pieces = [np.empty(0, dtype=np.uint32)]
        async with self._window() as reach:
            for first in range(0, count, self._line.store_words):
                size = min(self._line.store_words, count - first)
                place = await reach(address + 4 * first, size)
                pieces.append((await self._request(_Request(Command.READ, place, count=size))).words)
        return np.concatenate(pieces)

    async def wait(self, timeout_cycles: int) -> int:
        """Poll STATUS; the line itself is the clock, since no poll takes fewer cycles than its bits."""
        for _ in range(timeout_cycles // (_POLL_BITS * self.info.divisor) + 2):
            status, cycles = (await self.read(Register.STATUS.offset, _POLL_WORDS))[[0, -1]].tolist()
            if not status & Status.BUSY:
                return status
            if cycles > timeout_cycles:
                break
        raise TransportError("the core is still busy: a run exceeds its time limit")

    @contextlib.asynccontextmanager
    async def _window(self) -> AsyncIterator[Callable[[int, int], Awaitable[int]]]:
        """A function that moves the core's window on the store to where some words lie (their first byte, and how
        many), and gives their address there; behind it the window is where it was."""
        before = now = int((await self.read(Register.WINDOW_BASE.offset, 1))[0])

        async def move(base: int) -> None:
            nonlocal now
            if base != now:
                await self.write(Register.WINDOW_BASE.offset, np.array([base], dtype=np.uint32))
                now = base

        async def reach(address: int, count: int) -> int:
            if not 0 <= address - now <= _WINDOW_BYTES - 4 * count:
                await move(address & -PAGE)
            return (STORE_REGION << REGION_BITS) + address - now

        try:
            yield reach
        finally:
            await move(before)

    async def _requests(self, requests: Sequence[_Request]) -> list[Reply]:
        """Answers to requests, which may be carried out twice where there are several, since then they are of memories.

        On a line that holds bytes back `_IN_FLIGHT` of them are on their way at once, and those without an answer are
        sent again, one by one.
        """
        replies: list[Reply] = []
        while self._line.holds_back and len(requests) - len(replies) > 1:
            group = requests[len(replies) : len(replies) + _IN_FLIGHT]
            numbers = [(self._sequence + place) % 256 for place in range(1, len(group) + 1)]
            self._sequence = numbers[-1]
            frames = b"".join(map(_Request.frame, group, numbers))
            sending_bits = _BYTE_BITS * len(frames)
            await self._line.write(frames)
            for request, number in zip(group, numbers, strict=True):
                reply = await self._receive(number, sending_bits)
                if reply is None:
                    self.repeated += 1
                    await self._settle()
                    break
                replies.append(request.checked(reply))
            else:
                continue
            break
        return [*replies, *[await self._request(request) for request in requests[len(replies) :]]]

    async def _request(self, request: _Request) -> Reply:
        self._sequence = (self._sequence + 1) % 256
        frame = request.frame(self._sequence)
        for attempt in range(ATTEMPTS):
            if attempt:
                self.repeated += 1
                await self._settle()
            await self._line.write(frame)
            reply = await self._receive(self._sequence, _BYTE_BITS * len(frame))
            if reply is not None:
                return request.checked(reply)
        if self._heard >= _MOST_HEARD:
            raise TransportError(
                f"what talks on the serial line is no narrows core, after {ATTEMPTS} tries: check port and speed"
            )
        raise TransportError(
            f"no core answers on the serial line after {ATTEMPTS} tries: check speed, wiring and power"
        )

    async def _receive(self, sequence: int, sending_bits: int) -> Reply | None:
        """The reply to the request with this number, which may still be on its way for so many bit times, or None where
        it does not come whole among so many bytes."""
        head, self._heard = b"", 0
        while self._heard < _MOST_HEARD:
            head += await self._read(REPLY_HEAD_BYTES - len(head), sending_bits)
            if len(head) < REPLY_HEAD_BYTES:
                return None
            if head[0] != REPLY_START:  # noise before the reply
                head = head[1:]
                continue
            reply = parse_reply(head + await self._read(reply_bytes(head[2]) - REPLY_HEAD_BYTES))
            if reply is not None and reply.sequence != sequence:  # an answer to an earlier attempt
                head = b""
                continue
            return reply
        return None

    async def _read(self, count: int, more_bits: int = 0) -> bytes:
        data = await self._line.read(count, _PATIENCE_BITS + more_bits)
        self._heard += len(data)
        return data

    async def _settle(self) -> None:
        """Let whatever is on the line run out, so that both sides wait for a new frame."""
        replies = _IN_FLIGHT + 1 if self._line.holds_back else 2
        await self._line.read(replies * reply_bytes(MAX_WORDS), _PATIENCE_BITS)
