"""UtmiHost: a USB host at UTMI, where packets are bytes, in Amaranth's simulator; what it does wrong is chosen."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import Any

from narrows.sw.runtime.serial_line import SerialLine

__all__ = ["ACK", "NAK", "STALL", "Mishaps", "UtmiHost", "UtmiLine"]

OUT, IN, SOF, SETUP, DATA0, DATA1, ACK, NAK, STALL = 0x1, 0x9, 0x5, 0xD, 0x3, 0xB, 0x2, 0xA, 0xE
DATA_ENDPOINT = 4
PACKET = 64
_SE0, _J = 0b00, 0b01
_PATIENCE = 40  # cycles, of 16 to 18 bit times that a host waits for an answer, and what UTMI adds
_MOST_TRIES = 2000


def _crc(value: int, bits: int, polynomial: int, width: int) -> int:
    state = (1 << width) - 1
    for place in range(bits):
        state = state >> 1 ^ (polynomial if (state ^ value >> place) & 1 else 0)
    return state ^ (1 << width) - 1


def _token(pid: int, field: int) -> bytes:
    return bytes([pid | (pid ^ 0xF) << 4]) + struct.pack("<H", field | _crc(field, 11, 0x14, 5) << 11)


def _data(pid: int, payload: bytes) -> bytes:
    crc = _crc(int.from_bytes(payload, "little"), 8 * len(payload), 0xA001, 16)
    return bytes([pid | (pid ^ 0xF) << 4]) + payload + struct.pack("<H", crc)


@dataclass
class Mishaps:
    """Shares of packets that are harmed on their way to the device, and of answers that the host does not hear."""

    harmed: float = 0.0
    unheard: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.count = 0

    def harm(self, packet: bytes) -> bytes:
        """The packet as it arrives."""
        if self._random.random() >= self.harmed:
            return packet
        self.count += 1
        place = self._random.randrange(8 * len(packet))
        return (int.from_bytes(packet, "little") ^ 1 << place).to_bytes(len(packet), "little")

    def hears(self, answer: bytes) -> bool:
        """Whether the host gets an answer."""
        if not answer or self._random.random() >= self.unheard:
            return True
        self.count += 1
        return False


class UtmiHost:
    """A host of one device with a bulk endpoint either way; `attach` makes that ready.

    Parameters
    ----------
    ctx : context of an Amaranth test bench
    utmi : UTMIInterface of LUNA's
    byte_cycles : int
        Cycles of a byte on the bus; 8 are true to it.
    """

    def __init__(self, ctx: Any, utmi: Any, *, byte_cycles: int = 2) -> None:
        self._ctx, self._utmi, self._byte_cycles = ctx, utmi, byte_cycles
        self.mishaps = Mishaps()
        self.address, self.cycles, self.naks = 0, 0, 0
        self._frame = 0
        self._toggles = {IN: DATA0, OUT: DATA0}
        ctx.set(utmi.line_state, _J)

    async def _tick(self, cycles: int = 1) -> None:
        self.cycles += cycles
        await self._ctx.tick("usb").repeat(cycles)

    async def reset(self) -> None:
        """Reset the bus, once the device is there, somewhat longer than it needs."""
        await self.absent()
        self._ctx.set(self._utmi.line_state, _SE0)
        await self._tick(350)
        self._ctx.set(self._utmi.line_state, _J)
        self.address = 0
        await self._tick(10)

    async def absent(self) -> int:
        """Wait until the device has its pull-up on; the cycles that it took."""
        before = self.cycles
        while not self._ctx.get(self._utmi.term_select):
            await self._tick(16)
        return self.cycles - before

    async def frame(self) -> None:
        """Begin a frame."""
        self._frame = (self._frame + 1) % 2048
        await self._send(_token(SOF, self._frame))

    async def attach(self, address: int = 5) -> None:
        """Reset the device, address it and choose its configuration."""
        await self.reset()
        await self.control_out(0x00, 5, address, 0)
        self.address = address
        await self.configure()

    async def enumerate(self) -> dict[str, bytes]:
        """The same, and read its descriptors and strings."""
        await self.attach()
        found = {"device": await self.control_in(0x80, 6, 0x0100, 0, 64)}
        found["configuration"] = await self.control_in(0x80, 6, 0x0200, 0, 255)
        for index in found["device"][14:17]:
            if index:
                found[f"string {index}"] = await self.control_in(0x80, 6, 0x0300 | index, 0x0409, 255)
        return found

    async def configure(self) -> None:
        """Choose the configuration: endpoints begin with DATA0."""
        await self.control_out(0x00, 9, 1, 0)
        self._toggles = {IN: DATA0, OUT: DATA0}
        await self._tick(60)

    async def control_in(self, kind: int, request: int, value: int, index: int, length: int) -> bytes:
        """A control transfer that reads; AssertionError where the device stalls."""
        await self._setup(kind, request, value, index, length)
        received, toggle = b"", DATA1
        while True:
            answer = await self._answered(IN, 0)
            assert answer[0] & 0xF == toggle, answer.hex()
            await self._send(bytes([ACK | (ACK ^ 0xF) << 4]))
            received, toggle = received + answer[1:-2], toggle ^ DATA0 ^ DATA1
            if len(answer) - 3 < PACKET:
                break
        assert (await self._out(0, DATA1, b""))[0] & 0xF == ACK
        return received

    async def control_out(self, kind: int, request: int, value: int, index: int, payload: bytes = b"") -> None:
        """A control transfer that writes."""
        await self._setup(kind, request, value, index, len(payload))
        if payload:
            assert (await self._out(0, DATA1, payload))[0] & 0xF == ACK
        answer = await self._answered(IN, 0)
        assert answer == _data(DATA1, b""), answer.hex()
        await self._send(bytes([ACK | (ACK ^ 0xF) << 4]))

    async def _setup(self, kind: int, request: int, value: int, index: int, length: int) -> None:
        packet = struct.pack("<BBHHH", kind, request, value, index, length)
        answer = await self._out(0, DATA0, packet, token=SETUP)
        assert answer[0] & 0xF == ACK, answer.hex()

    async def bulk_out(self, payload: bytes) -> bool:
        """Try to send a packet once; whether it is known to have arrived."""
        answer = await self._out(DATA_ENDPOINT, self._toggles[OUT], payload)
        if not answer or answer[0] & 0xF == NAK:
            self.naks += bool(answer)
            return False
        assert answer[0] & 0xF == ACK, answer.hex()
        self._toggles[OUT] ^= DATA0 ^ DATA1
        return True

    async def bulk_in(self) -> bytes | None:
        """Ask for a packet once: its bytes, or None."""
        answer = await self._ask(IN, DATA_ENDPOINT)
        if not answer or answer[0] & 0xF == NAK:
            return None
        pid, payload = answer[0] & 0xF, answer[1:-2]
        assert pid in (DATA0, DATA1) and answer == _data(pid, payload), answer.hex()
        await self._send(self.mishaps.harm(bytes([ACK | (ACK ^ 0xF) << 4])))
        if pid != self._toggles[IN]:
            return None  # it did not hear that the packet had arrived
        self._toggles[IN] ^= DATA0 ^ DATA1
        return payload

    async def _answered(self, pid: int, endpoint: int) -> bytes:
        for _ in range(_MOST_TRIES):
            answer = await self._ask(pid, endpoint)
            if answer and answer[0] & 0xF != NAK:
                return answer
        raise TimeoutError(f"endpoint {endpoint} does not answer")

    async def _out(self, endpoint: int, pid: int, payload: bytes, *, token: int = OUT) -> bytes:
        harm = self.mishaps.harm if endpoint else bytes
        await self._send(harm(_token(token, self.address | endpoint << 7)))
        await self._send(harm(_data(pid, payload)))
        return await self._hear(endpoint)

    async def _ask(self, pid: int, endpoint: int) -> bytes:
        token = _token(pid, self.address | endpoint << 7)
        await self._send(self.mishaps.harm(token) if endpoint else token)
        return await self._hear(endpoint)

    async def _send(self, packet: bytes) -> None:
        ctx, utmi = self._ctx, self._utmi
        ctx.set(utmi.rx_active, 1)
        await self._tick(self._byte_cycles)
        for byte in packet:
            ctx.set(utmi.rx_data, byte)
            ctx.set(utmi.rx_valid, 1)
            await self._tick()
            ctx.set(utmi.rx_valid, 0)
            await self._tick(self._byte_cycles - 1)
        ctx.set(utmi.rx_active, 0)
        await self._tick(3)

    async def _hear(self, endpoint: int) -> bytes:
        ctx, utmi = self._ctx, self._utmi
        for _ in range(_PATIENCE):
            if ctx.get(utmi.tx_valid):
                break
            await self._tick()
        else:
            return b""
        answer = b""
        await self._tick(self._byte_cycles)
        while ctx.get(utmi.tx_valid):
            answer += bytes([ctx.get(utmi.tx_data)])
            ctx.set(utmi.tx_ready, 1)
            await self._tick()
            ctx.set(utmi.tx_ready, 0)
            await self._tick(self._byte_cycles - 1)
        await self._tick(3)
        return answer if not endpoint or self.mishaps.hears(answer) else b""


class UtmiLine(SerialLine):
    """A host's serial port of the device: it takes what comes at any time, as operating systems do.

    Parameters
    ----------
    host : UtmiHost
    quiet_frames : int
        Frames without a byte after which a read gives up.
    polls : int
        Tries of a frame.
    """

    def __init__(self, host: UtmiHost, *, quiet_frames: int, polls: int = 12) -> None:
        self.host, self._quiet, self._polls = host, quiet_frames, polls
        self._received = b""

    async def write(self, data: bytes) -> None:
        """Send bytes in packets as full as can be, until all have arrived."""
        for first in range(0, len(data), PACKET):
            for _ in range(_MOST_TRIES):
                if await self.host.bulk_out(data[first : first + PACKET]):
                    break
                await self._poll()
            else:
                raise TimeoutError("a packet does not arrive")

    async def _poll(self) -> bool:
        packet = await self.host.bulk_in()
        self._received += packet or b""
        return bool(packet)

    async def read(self, count: int, timeout_bits: int) -> bytes:
        """Bytes that are there, or come before it has been quiet for so many frames."""
        quiet = polls = 0
        while len(self._received) < count and quiet < self._quiet:
            if await self._poll():
                quiet = 0
            elif (polls := polls + 1) % self._polls == 0:
                quiet += 1
                await self.host.frame()
        data, self._received = self._received[:count], self._received[count:]
        return data
