"""Adapters to SPI: what they are told, what they answer, and how they refuse."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from narrows.sw.errors import ToolMissing
from narrows.sw.runtime import TransportError, run_sync
from narrows.sw.runtime.spi_bus import FtdiBus, SerprogBus, open_spi
from pyftdi.ftdi import FtdiError
from pyftdi.spi import SpiController

ACK, NAK = b"\x06", b"\x15"
HZ = 3_000_000


class Adapter:
    """A serprog adapter: what it was told, by command, and answers that a test may change."""

    baudrate = 115200
    timeout: float | None = None
    write_timeout: float | None = None
    in_waiting = 0

    def __init__(self, commands: tuple[int, ...] = (0x00, 0x02, 0x10, 0x12, 0x13, 0x14, 0x15)) -> None:
        self.told: list[bytes] = []
        self.answer, self.pending = b"", b""
        self.swallowed = 0
        known = sum(1 << command for command in commands)
        self.answers = {0x00: ACK, 0x02: ACK + known.to_bytes(32, "little"), 0x10: NAK + ACK, 0x12: ACK, 0x15: ACK}
        self.fails = False

    def write(self, data: bytes) -> int:
        if self.fails:
            raise OSError("gone")
        pending = data[min(self.swallowed, len(data)) :]
        self.swallowed -= len(data) - len(pending)
        while pending:
            size = {0x12: 2, 0x15: 2, 0x14: 5, 0x13: 7}.get(pending[0], 1)
            if pending[0] == 0x13:
                size += int.from_bytes(pending[1:4], "little")
            command, pending = pending[:size], pending[size:]
            self.told += [command] if command != b"\0" else []
            self.answer += self._answer(command)
        return len(data)

    def _answer(self, command: bytes) -> bytes:
        if command[0] == 0x14:
            return ACK + command[1:]
        if command[0] == 0x13 and 0x13 not in self.answers:
            return ACK + bytes(range(int.from_bytes(command[4:7], "little")))
        return self.answers[command[0]]

    def read(self, size: int = 1) -> bytes:
        if self.fails:
            raise OSError("gone")
        data, self.answer = self.answer[:size], self.answer[size:]
        return data

    def flush(self) -> None:
        pass


def test_a_transfer_is_one_command() -> None:
    adapter = Adapter()
    bus = SerprogBus(adapter, hz=HZ)
    assert adapter.told == [b"\x10", b"\x02", b"\x12\x08", b"\x14" + HZ.to_bytes(4, "little"), b"\x15\x01"]
    adapter.told.clear()
    assert run_sync(bus.exchange(b"\xa5hello", 4)) == bytes([0, 1, 2, 3])
    assert adapter.told == [b"\x13\x06\0\0\x04\0\0\xa5hello"]


def test_an_adapter_is_told_only_what_it_knows() -> None:
    adapter = Adapter(commands=(0x00, 0x02, 0x10, 0x13))
    SerprogBus(adapter, hz=HZ)
    assert adapter.told == [b"\x10", b"\x02"]


@pytest.mark.parametrize("left", [1, 523])
def test_what_an_earlier_host_did_not_send_is_made_up_for(left: int) -> None:
    adapter = Adapter()
    adapter.swallowed, adapter.answer = left, b"\x06stale\x15\x06"
    bus = SerprogBus(adapter, hz=HZ)
    assert run_sync(bus.exchange(b"x", 1)) == b"\0"


def test_refusals_are_one_line() -> None:
    with pytest.raises(TransportError, match="the adapter has no SPI: choose another port"):
        SerprogBus(Adapter(commands=(0x00, 0x02, 0x10)), hz=HZ)
    silent = Adapter()
    silent.answers[0x10] = b""
    with pytest.raises(TransportError, match="no SPI adapter answers: is it the right port"):
        SerprogBus(silent, hz=HZ)
    adapter = Adapter()
    bus = SerprogBus(adapter, hz=HZ)
    adapter.answers[0x13] = NAK
    with pytest.raises(TransportError, match="the SPI adapter refused command 0x13"):
        run_sync(bus.exchange(b"x", 1))
    adapter.fails = True
    with pytest.raises(TransportError, match="the SPI adapter failed: gone: check the cable"):
        run_sync(bus.exchange(b"x", 1))


def test_a_port_that_never_stops_talking_is_given_up() -> None:
    class Talker(Adapter):
        def read(self, size: int = 1) -> bytes:
            return b"U" * size

    with pytest.raises(TransportError, match="no SPI adapter answers"):
        SerprogBus(Talker(), hz=1_000_000)


class Chip:
    """What pyftdi shows of a chip that is connected."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        monkeypatch.setattr(SpiController, "configure", lambda _, url, **how: self.calls.append((url, how)))
        monkeypatch.setattr(SpiController, "get_port", lambda _, **how: self.calls.append(how) or self)

    def exchange(self, out: bytes, count: int) -> bytearray:
        if not count:
            raise FtdiError("gone")
        return bytearray(out[:count])


def test_an_ftdi_chip_takes_the_next_lower_clock_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = Chip(monkeypatch)
    open_spi("ftdi://ftdi:2232h/1", hz=8_750_000, select=1)
    assert chip.calls == [
        ("ftdi://ftdi:2232h/1", {"frequency": 7_500_000}),
        {"cs": 1, "freq": 7_500_000, "mode": 0},
    ]
    bus = FtdiBus(chip)
    assert run_sync(bus.exchange(b"abc", 2)) == b"ab"
    with pytest.raises(TransportError, match="the FTDI chip failed: gone"):
        run_sync(bus.exchange(b"abc", 0))


def test_what_cannot_be_opened_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransportError, match="cannot open ftdi://nonsense:5/x"):
        open_spi("ftdi://nonsense:5/x", hz=HZ)
    with pytest.raises(TransportError, match="cannot open the serial port /dev/nowhere"):
        open_spi("/dev/nowhere", hz=HZ)
    monkeypatch.setitem(sys.modules, "pyftdi.spi", None)
    with pytest.raises(ToolMissing, match=r"pyftdi is not installed: pip install 'narrows\[run\]'"):
        open_spi("ftdi://ftdi:2232h/1", hz=HZ)
