"""Fuzzing of the cores' ends of links: boards in simulation against hosts that send anything, and against noise."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable

import numpy as np
from damage import damaged
from narrows.boards.board import Board
from narrows.boards.icebreaker import BOARD as ICEBREAKER
from narrows.boards.lock_wait import WAIT_CYCLES
from narrows.boards.plan import NAME
from narrows.boards.simulation import USB_DIVISOR, board_verilog
from narrows.boards.ulx3s import BOARD as ULX3S
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.link import GAP_BITS, SPI_DIVISOR, SPI_WAIT_BYTES, Command, hello_words
from narrows.hw.spec.registers import Region, Register, region_address
from narrows.sim.board import VirtualBoard
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.engines.port import board_line
from narrows.sw.runtime import TransportError, run_sync
from narrows.sw.runtime.serial_frames import encode_request
from narrows.sw.runtime.serial_line import open_serial
from narrows.sw.runtime.serial_transport import SerialTransport
from narrows.sw.runtime.spi_bus import SerprogBus
from serial_core import SerialCore
from small_core import SMALL

__all__ = ["BOARDS"]

_CONFIGS = {"uart": SMALL, "spi": SMALL, "usb": dataclasses.replace(SMALL, frame_bytes=1024)}
"""Those of `tests/sim/board`, whose simulators are then there."""

_DIVISOR = 4
_BAUD = {"uart": 19_200, "spi": 19_200, "usb": 4800}  # as slow as the simulation
_WORDS = 64
"""Of the activations, which are written first and touched alone."""

_BASE = region_address(SMALL, Region.ACTIVATIONS)
_USB_GAP_CYCLES = 17 * 96_000
_BYTE_BITS = 10
_SPARE_BYTES = 8
_STEADY_CYCLES = 4 * WAIT_CYCLES
_PATIENCE = 50
"""Gaps in which an answer that is due has to come, once a host on USB has found the board, too."""


class BoardTrial:
    """A virtual board: what it answers to any bytes has to be what `docs/host_link.md` says, as `SerialCore` plays it;
    over a noisy line a host has to find what it has written, or be told why not.

    Parameters
    ----------
    board : Board
        With the link in question. The simulator is built at once and started with the first case.
    """

    def __init__(self, board: Board) -> None:
        self._board = board.with_config(_CONFIGS[board.link])
        self._verilog = board_verilog(self._board, divisor=_DIVISOR)
        self._bit = {"spi": SPI_DIVISOR, "usb": USB_DIVISOR}.get(board.link, _DIVISOR)
        self._virtual: VirtualBoard | None = None
        self._start().close()

    def __call__(self, rng: np.random.Generator) -> str:
        """Switch the board on anew and talk to it; refused is what noise has made impossible."""
        if self._virtual is None:
            self._virtual = self._start()
        self._virtual.reset()
        steady = self._virtual.cycles() + _STEADY_CYCLES
        while self._virtual.cycles() < steady:
            pass
        if rng.random() < 0.3:
            return self._over_noise(self._virtual, rng)
        self._against_anything(self._virtual, rng)
        return "answer"

    def _start(self) -> VirtualBoard:
        return VirtualBoard(self._verilog, top=NAME, link=self._board.link, divisor=self._bit)

    def _over_noise(self, virtual: VirtualBoard, rng: np.random.Generator) -> str:
        virtual.set_noise(float(10 ** rng.uniform(-8, -4.5)))
        virtual.set_drops(float(10 ** rng.uniform(-6, -2.5)))
        try:
            line = board_line(self._board, str(virtual.port), _BAUD[self._board.link])
            link = run_sync(SerialTransport.open(line, sequence=int(rng.integers(256))))
            for _ in range(3):
                values = rng.integers(0, 1 << 16, _WORDS, dtype=np.uint32)
                run_sync(link.write(_BASE, values))
                if not np.array_equal(run_sync(link.read(_BASE, _WORDS)), values):
                    raise AssertionError("what a host reads is not what it has written")
        except TransportError:
            return "refused"
        finally:
            virtual.set_noise(0)
            virtual.set_drops(0)
        return "answer"

    def _against_anything(self, virtual: VirtualBoard, rng: np.random.Generator) -> None:
        config = self._board.config
        core = SerialCore(IsaTransport(config), hello_words(dataclasses.replace(config, uart_divisor=_DIVISOR)))
        wire = _Selections(virtual) if self._board.link == "spi" else _Bytes(virtual, self._bit, self._board.link)
        try:
            if self._board.link == "usb" or rng.random() < 0.8:  # where bytes wait, what answers shows when it begins
                values = rng.integers(0, 1 << 16, _WORDS, dtype=np.uint32)
                self._say(core, wire, encode_request(Command.HELLO, sequence=1, count=6))
                self._say(core, wire, encode_request(Command.WRITE, sequence=2, address=_BASE, words=values))
            for _ in range(int(rng.integers(2, 9))):
                self._say(core, wire, _anything(config, rng))
            self._say(core, wire, encode_request(Command.HELLO, sequence=3, count=6))
            self._say(core, wire, encode_request(Command.READ, sequence=4, address=_BASE, count=_WORDS))
        finally:
            wire.close()

    @staticmethod
    def _say(core: SerialCore, wire: _Bytes | _Selections, data: bytes) -> None:
        """Send bytes up to the end of the first frame that is answered; what comes is what the played core says."""
        expected, sent = b"", 0
        while not expected and sent < len(data):
            expected = core.take(data[sent : sent + 1])
            sent += 1
        found = wire.exchange(data[:sent], expected)
        if found != expected:
            raise AssertionError(f"{data[:sent].hex()[:400]} is answered by {found.hex()}, not {expected.hex()}")
        if not core.idle or isinstance(wire, _Selections):
            wire.silence()
            core.silence()


class _Bytes:
    """The serial port of a board, on UART or USB."""

    def __init__(self, virtual: VirtualBoard, bit: int, link: str) -> None:
        self._virtual, self._byte_cycles = virtual, _BYTE_BITS * bit
        self._gap = _USB_GAP_CYCLES if link == "usb" else GAP_BITS * bit * 5 // 4
        self._file = os.open(virtual.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._heard()  # what an earlier case has left

    def exchange(self, data: bytes, expected: bytes) -> bytes:
        """Send bytes; what comes back in the time that as many as expected take."""
        sent = len(data)
        while data:
            data = data[os.write(self._file, data) :]
        found = b""
        patience = 2 * self._byte_cycles * (sent + 200) if not expected else _PATIENCE * self._gap
        end = self._virtual.cycles() + patience
        while self._virtual.cycles() < end and (not expected or len(found) < len(expected)):
            found += self._heard()
        return found + self._heard()

    def silence(self) -> None:
        """Send nothing for so long that a core waits for a new frame."""
        end = self._virtual.cycles() + self._gap
        while self._virtual.cycles() < end:
            pass

    def close(self) -> None:
        """Leave the port."""
        os.close(self._file)

    def _heard(self) -> bytes:
        try:
            return os.read(self._file, 4096)
        except BlockingIOError:
            return b""


class _Selections:
    """An SPI adapter of a board: each request is one selection, in which a core says zeros where it says nothing."""

    def __init__(self, virtual: VirtualBoard) -> None:
        self._port = open_serial(str(virtual.port), baud=_BAUD["spi"])
        self._bus = SerprogBus(self._port, hz=1_000_000)

    def exchange(self, data: bytes, expected: bytes) -> bytes:
        """Send bytes; what comes back, without what is said before and behind an answer."""
        found = run_sync(self._bus.exchange(data, SPI_WAIT_BYTES + len(expected) + _SPARE_BYTES))
        place = found.find(expected)
        return expected if place >= 0 and not any(found[:place] + found[place + len(expected) :]) else found

    def silence(self) -> None:
        """Nothing: the core is deselected."""

    def close(self) -> None:
        """Leave the port."""
        self._port.close()  # type: ignore[attr-defined]


def _anything(config: AcceleratorConfig, rng: np.random.Generator) -> bytes:
    """Requests that are whole and ask for anything harmless, requests that are damaged, and noise."""
    kind = rng.random()
    if kind < 0.15:
        return rng.bytes(int(rng.integers(1, 600)))
    frame = _request(config, rng)
    if kind < 0.55:
        frame = damaged(frame, rng)[:4000] or b"\0"
    return (rng.bytes(int(rng.integers(1, 9))).replace(b"\xa5", b"\xa4") if rng.random() < 0.2 else b"") + frame


def _request(config: AcceleratorConfig, rng: np.random.Generator) -> bytes:
    sequence, first = int(rng.integers(8)), int(rng.integers(_WORDS))
    count = int(rng.integers(1, _WORDS - first + 1))
    address = _BASE + 4 * first
    kind = int(rng.integers(8))
    if kind == 0:
        return encode_request(Command.HELLO, sequence=sequence, count=int(rng.integers(1, 129)))
    if kind == 1:
        return encode_request(Command.READ, sequence=sequence, address=Register.MAGIC.offset, count=3)
    if kind == 2:  # beyond the map, or between words
        address = int(rng.choice([1 << 26, 0xFFFFFFFC, address + int(rng.integers(1, 4))]))
    if kind == 3:
        return encode_request(Command.READ, sequence=sequence, address=address, count=int(rng.choice([0, 129, 255])))
    words = rng.integers(0, 1 << 16, count, dtype=np.uint32)
    if kind == 4 and config.frame_bytes:
        address = region_address(config, Region.FRAME) + 64 * int(rng.integers(8))
        return encode_request(Command.FRAME, sequence=sequence, address=address, words=words)
    if kind == 5:
        return encode_request(Command.READ, sequence=sequence, address=address, count=count)
    return encode_request(Command.WRITE, sequence=sequence, address=address, words=words)


BOARDS: dict[str, Callable[[], BoardTrial]] = {
    f"core-{link}": functools.cache(functools.partial(BoardTrial, dataclasses.replace(board, link=link)))
    for link, board in (("uart", ULX3S), ("spi", ICEBREAKER), ("usb", ULX3S))
}
"""What makes the trial of a core's end."""
