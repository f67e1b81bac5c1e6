"""SerialTransport: a core behind a serial line, whatever the line does to single bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.link import (
    CRC_BYTES,
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
from ...hw.spec.registers import MAGIC, Register, Status
from .serial_frames import Reply, encode_request, parse_reply, reply_bytes
from .serial_line import SerialLine
from .transport import Transport, TransportError

__all__ = ["ATTEMPTS", "LinkInfo", "SerialTransport"]

ATTEMPTS = 8
"""How often a request is sent before the link counts as dead."""

_IN_FLIGHT = 32  # requests, on a line that holds bytes back: 16 KB of words
_BYTE_BITS = 10
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

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read words; raises as :meth:`write` does."""
        replies = await self._requests(
            [
                _Request(Command.READ, address + 4 * first, count=min(self.info.max_words, count - first))
                for first in range(0, count, self.info.max_words)
            ]
        )
        return np.concatenate([np.empty(0, dtype=np.uint32), *(reply.words for reply in replies)])

    async def wait(self, timeout_cycles: int) -> None:
        """Poll STATUS; the line itself is the clock, since no poll takes fewer cycles than its bits."""
        for _ in range(timeout_cycles // (_POLL_BITS * self.info.divisor) + 2):
            status, cycles = (await self.read(Register.STATUS.offset, _POLL_WORDS))[[0, -1]].tolist()
            if not status & Status.BUSY:
                return
            if cycles > timeout_cycles:
                break
        raise TransportError("the core is still busy: a run exceeds its time limit")

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
            await self._line.write(b"".join(map(_Request.frame, group, numbers)))
            for request, number in zip(group, numbers, strict=True):
                reply = await self._receive(number)
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
            reply = await self._receive(self._sequence)
            if reply is not None:
                return request.checked(reply)
        if self._heard >= _MOST_HEARD:
            raise TransportError(
                f"what talks on the serial line is no narrows core, after {ATTEMPTS} tries: check port and speed"
            )
        raise TransportError(
            f"no core answers on the serial line after {ATTEMPTS} tries: check speed, wiring and power"
        )

    async def _receive(self, sequence: int) -> Reply | None:
        """The reply to the request with this number, or None where it does not come whole among so many bytes."""
        head, self._heard = b"", 0
        while self._heard < _MOST_HEARD:
            head += await self._read(REPLY_HEAD_BYTES - len(head))
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

    async def _read(self, count: int) -> bytes:
        data = await self._line.read(count, _PATIENCE_BITS)
        self._heard += len(data)
        return data

    async def _settle(self) -> None:
        """Let whatever is on the line run out, so that both sides wait for a new frame."""
        replies = _IN_FLIGHT + 1 if self._line.holds_back else 2
        await self._line.read(replies * reply_bytes(MAX_WORDS), _PATIENCE_BITS)
