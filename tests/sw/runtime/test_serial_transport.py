"""SerialTransport over a played core: results, repeats that act once, resets, ports that fail; and over pyserial."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.link import REPLY_START, Hello, hello_words
from narrows.hw.spec.registers import REGION_BITS, STORE_REGION, Region, Register, region_address
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.errors import ToolMissing
from narrows.sw.runtime import Driver, Transport, TransportError, run_sync
from narrows.sw.runtime.serial_line import PortLine, SerialLine, open_port
from narrows.sw.runtime.serial_transport import ATTEMPTS, SerialTransport
from serial_core import SerialCore


class PlayedLine(SerialLine):
    """A line to a `SerialCore`; ``harm`` may change what goes either way."""

    def __init__(self, core: SerialCore, harm: Callable[[bytes], bytes] = bytes) -> None:
        self.core, self.harm, self.waiting = core, harm, b""

    async def write(self, data: bytes) -> None:
        self.waiting += self.harm(self.core.take(self.harm(data)))

    async def read(self, count: int, timeout_bits: int) -> bytes:
        data, self.waiting = self.waiting[:count], self.waiting[count:]
        if len(data) < count:
            self.core.silence()
        return data


@pytest.fixture
def core(tiny_program: Any) -> SerialCore:
    return SerialCore(IsaTransport(tiny_program.config), hello_words(tiny_program.config))


def lossy(seed: int, share: float) -> Callable[[bytes], bytes]:
    rng = np.random.default_rng(seed)

    def harm(data: bytes) -> bytes:
        result = bytearray()
        for byte in data:
            kind = rng.integers(3) if rng.random() < share else None
            result += b"" if kind == 1 else bytes([byte ^ (1 << int(rng.integers(8)) if kind == 0 else 0)])
            result += rng.bytes(1) if kind == 2 else b""
        return bytes(result)

    return harm


async def infer(line: SerialLine, program: Any, levels: Any) -> tuple[Any, SerialTransport]:
    transport = await SerialTransport.open(line)
    driver = Driver(transport, program.config)
    await driver.load(program)
    return (await driver.infer(levels)).outputs["pooled"], transport


def expected(program: Any, levels: Any) -> Any:
    return GoldenModel(program.graph, program.config).run(levels[np.newaxis])["pooled"][0]


def test_a_program_runs_through_the_ordinary_driver(core: SerialCore, tiny_program: Any, tiny_levels: Any) -> None:
    output, transport = run_sync(infer(PlayedLine(core), tiny_program, tiny_levels))
    np.testing.assert_array_equal(output, expected(tiny_program, tiny_levels))
    assert transport.repeated == 0
    assert transport.info.config == tiny_program.config.hash32
    assert transport.info.build == tiny_program.config.build32


@pytest.mark.parametrize("seed", range(5))
def test_losses_cost_repeats_and_nothing_else(core: SerialCore, tiny_program: Any, tiny_levels: Any, seed: int) -> None:
    output, transport = run_sync(infer(PlayedLine(core, lossy(seed, 2e-3)), tiny_program, tiny_levels))
    np.testing.assert_array_equal(output, expected(tiny_program, tiny_levels))
    assert transport.repeated > 0


def test_a_write_whose_answer_is_lost_is_carried_out_once(core: SerialCore) -> None:
    line = PlayedLine(core)
    transport = run_sync(SerialTransport.open(line))
    answers = iter([lambda data: data, lambda data: b"", lambda data: data, lambda data: data[:5]])
    line.harm = lambda data: next(answers, bytes)(data)
    run_sync(transport.write(0x1C, np.array([5], dtype=np.uint32)))
    assert transport.repeated == 2
    assert core.carried_out == [0x1C]


def test_bursts_are_cut_to_what_the_core_takes(core: SerialCore, tiny_program: Any) -> None:
    transport = run_sync(SerialTransport.open(PlayedLine(core)))
    address = region_address(tiny_program.config, Region.ACTIVATIONS)
    values = np.arange(200, dtype=np.uint32) & 0xFFFF
    run_sync(transport.write(address, values))
    assert core.carried_out == [address, address + 4 * 128]
    np.testing.assert_array_equal(run_sync(transport.read(address, 200)), values)
    assert run_sync(transport.read(address, 0)).size == 0


def test_requests_are_in_flight_together_where_the_line_holds_bytes_back(core: SerialCore, tiny_program: Any) -> None:
    line = PlayedLine(core)
    line.holds_back = True
    transport = run_sync(SerialTransport.open(line))
    sent = []
    line.harm = lambda data: sent.append(len(data)) or data  # type: ignore[func-returns-value]
    address = region_address(tiny_program.config, Region.ACTIVATIONS)
    values = np.arange(200, dtype=np.uint32) & 0xFFFF
    run_sync(transport.write(address, values))
    np.testing.assert_array_equal(run_sync(transport.read(address, 200)), values)
    asked, words = 12, 4 * 200
    assert sent == [2 * asked + words, 2 * 8, 2 * asked, 2 * 8 + words], "one line.write each, and its answers"
    assert transport.repeated == 0


@pytest.mark.parametrize("seed", range(3))
def test_what_is_lost_in_flight_is_asked_for_again(core: SerialCore, tiny_program: Any, seed: int) -> None:
    line = PlayedLine(core)
    line.holds_back = True
    transport = run_sync(SerialTransport.open(line))
    line.harm = lossy(seed, 1e-3)
    address = region_address(tiny_program.config, Region.ACTIVATIONS)
    values = np.arange(200, dtype=np.uint32) & 0xFFFF
    for _ in range(8):
        run_sync(transport.write(address, values))
        np.testing.assert_array_equal(run_sync(transport.read(address, 200)), values)
    assert transport.repeated > 0


def test_a_reset_is_noticed(core: SerialCore) -> None:
    transport = run_sync(SerialTransport.open(PlayedLine(core)))
    core.reset()
    with pytest.raises(TransportError, match="the core was reset: open the link and load the program again"):
        run_sync(transport.read(0, 1))


def test_a_refused_access_is_named(core: SerialCore) -> None:
    transport = run_sync(SerialTransport.open(PlayedLine(core)))
    with pytest.raises(TransportError, match="the core refused an access within 2 words from address 0x2"):
        run_sync(transport.read(2, 2))


def test_a_dead_line_is_given_up(core: SerialCore) -> None:
    tries = []
    with pytest.raises(TransportError, match=f"no core answers on the serial line after {ATTEMPTS} tries"):
        run_sync(SerialTransport.open(PlayedLine(core, lambda data: tries.append(data) or b"")))
    assert len([frame for frame in tries if frame]) == ATTEMPTS


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [(0, 1, "no narrows core on the line: it says 0x00000001"), (1, 2 << 16, "speaks version 2 of the link, not 1")],
)
def test_what_is_no_core_of_this_link_is_turned_down(core: SerialCore, word: int, value: int, message: str) -> None:
    core.hello[word] = value
    with pytest.raises(TransportError, match=message):
        run_sync(SerialTransport.open(PlayedLine(core)))


@pytest.mark.parametrize("hello", [(1 << 16) | 0, (1 << 16) | 129, (1 << 16) | 0xFFFF])
def test_a_core_that_lies_about_its_bursts_is_turned_down(core: SerialCore, hello: int) -> None:
    core.hello[Hello.LINK] = hello
    with pytest.raises(TransportError, match=f"is no narrows core: it takes {hello & 0xFFFF} words at once"):
        run_sync(SerialTransport.open(PlayedLine(core)))


def test_a_core_that_lies_about_its_speed_is_turned_down(core: SerialCore) -> None:
    core.hello[Hello.DIVISOR] = 0
    with pytest.raises(TransportError, match="is no narrows core: it takes 128 words at once and 0 cycles a bit"):
        run_sync(SerialTransport.open(PlayedLine(core)))


@pytest.mark.parametrize("says", [b"\x00", b"U", bytes([REPLY_START]), bytes([REPLY_START, 0, 0]), b"ok\r\n"])
def test_what_never_stops_talking_is_given_up(says: bytes) -> None:
    class Talker(SerialLine):
        given = 0

        async def write(self, data: bytes) -> None:
            pass

        async def read(self, count: int, timeout_bits: int) -> bytes:
            start, self.given = self.given % len(says), self.given + count
            return (says * (count + 1))[start:][:count]

    line = Talker()
    with pytest.raises(TransportError, match=r"what talks on the serial line is no narrows core|no core answers"):
        run_sync(SerialTransport.open(line))
    assert line.given < 100_000


class Busy(IsaTransport):
    """STATUS says busy for ever, and CYCLES grows by 100 each time."""

    polls = 0

    async def read(self, address: int, count: int) -> Any:
        words = await super().read(address, count)
        if address == 0x14 and count == 4:
            self.polls += 1
            words[[0, 3]] = 1, 100 * self.polls
        return words


def test_a_wait_ends_at_its_limit(tiny_program: Any) -> None:
    behind = Busy(tiny_program.config)
    transport = run_sync(SerialTransport.open(PlayedLine(SerialCore(behind, hello_words(tiny_program.config)))))
    with pytest.raises(TransportError, match="the core is still busy: a run exceeds its time limit"):
        run_sync(transport.wait(1_000_000))
    bits = 10 * (12 + 24)  # of a poll: request and reply
    assert behind.polls == 1_000_000 // (bits * tiny_program.config.uart_divisor) + 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudoterminals")
def test_a_program_runs_over_pyserial(core: SerialCore, tiny_program: Any, tiny_levels: Any) -> None:
    pytest.importorskip("serial")
    ours, theirs = os.openpty()
    line = open_port(os.ttyname(theirs), baud=3_000_000)

    def play() -> None:
        try:
            while data := os.read(ours, 4096):
                os.write(ours, core.take(data))
        except OSError:  # the host closed its end
            pass

    player = threading.Thread(target=play, daemon=True)
    player.start()
    output, transport = run_sync(infer(line, tiny_program, tiny_levels))
    line._port.close()  # type: ignore[attr-defined]
    os.close(theirs)
    player.join(10)
    os.close(ours)
    np.testing.assert_array_equal(output, expected(tiny_program, tiny_levels))
    assert transport.repeated == 0


class DeadPort:
    """A port whose cable was pulled."""

    baudrate, timeout, write_timeout = 1000, None, None
    in_waiting = 0

    def write(self, data: bytes) -> int:
        raise OSError("device disconnected")

    def read(self, size: int = 1) -> bytes:
        raise OSError("device disconnected")

    def flush(self) -> None:
        """Nothing to wait for."""


class PiecesPort(DeadPort):
    """A port on which bytes come in pieces, and then none for good; it notes what it was asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.asked = list(pieces), []

    @property
    def in_waiting(self) -> int:
        return len(self.pieces[0]) if self.pieces else 0

    def read(self, size: int = 1) -> bytes:
        self.asked.append(size)
        if not self.pieces:
            return b""
        found, rest = self.pieces[0][:size], self.pieces[0][size:]
        self.pieces[:1] = [rest] if rest else []
        return found


def test_silence_is_waited_for_once_however_many_bytes_are_asked_for() -> None:
    port = PiecesPort(b"abcd", b"efg")
    assert run_sync(PortLine(port).read(1000, 500)) == b"abcdefg"
    assert port.asked == [1, 3, 1, 2, 1]
    assert port.timeout == 500 / port.baudrate + 0.1
    assert run_sync(PortLine(PiecesPort(b"abcd")).read(3, 500)) == b"abc"


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudoterminals")
def test_a_port_that_takes_no_more_bytes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("serial")
    monkeypatch.setattr("narrows.sw.runtime.serial_line._STUCK_SECONDS", 0.01)
    ours, theirs = os.openpty()
    line = open_port(os.ttyname(theirs), baud=4_000_000, holds_back=True)
    with pytest.raises(TransportError, match="the serial port failed: Write timeout: check the cable"):
        run_sync(line.write(bytes(1 << 16)))
    line._port.close()  # type: ignore[attr-defined]
    os.close(theirs)
    os.close(ours)


def test_a_port_that_fails_is_named() -> None:
    line = PortLine(DeadPort())
    for action in (line.write(b"x"), line.read(1, 10)):
        with pytest.raises(TransportError, match="the serial port failed: device disconnected: check the cable"):
            run_sync(action)


def test_a_port_that_cannot_be_opened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("serial")
    with pytest.raises(TransportError, match="cannot open the serial port /dev/none"):
        open_port("/dev/none", baud=115200)
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ToolMissing, match=r"pyserial is not installed: pip install 'narrows\[run\]'"):
        open_port("/dev/none", baud=115200)


class Store(Transport):
    """The host's side of a core whose window on the store is played from docs/memory.md: 4 MiB from WINDOW_BASE on."""

    def __init__(self) -> None:
        self.base, self.bases, self.words = 0x5000, [], {}

    def _place(self, address: int) -> int:
        assert address >> REGION_BITS == STORE_REGION
        return self.base + (address & ((1 << REGION_BITS) - 1))

    async def write(self, address: int, values: Any) -> None:
        if address == Register.WINDOW_BASE.offset:
            [self.base] = values.tolist()
            self.bases.append(self.base)
            return
        for number, value in enumerate(values.tolist()):
            self.words[self._place(address) + 4 * number] = value

    async def read(self, address: int, count: int) -> Any:
        if address == Register.WINDOW_BASE.offset:
            return np.array([self.base], dtype=np.uint32)
        place = self._place(address)
        return np.array([self.words.get(place + 4 * number, 0) for number in range(count)], dtype=np.uint32)

    async def wait(self, timeout_cycles: int) -> None:
        raise AssertionError("nobody waits")


@pytest.mark.parametrize("words", [128, 8])
def test_the_store_is_reached_through_a_window_that_is_put_back(tiny_program: Any, words: int) -> None:
    store, rng = Store(), np.random.default_rng(4)
    line = PlayedLine(SerialCore(store, hello_words(tiny_program.config)))
    line.store_words = words
    places = [0x0, 0x5000, 0x5FFC, 0x404F00, 0x405004, 0x3FFFF00]
    values = [rng.integers(0, 1 << 32, 300).astype(np.uint32) for _ in places]

    async def body() -> None:
        transport = await SerialTransport.open(line)
        for place, value in zip(places, values, strict=True):
            await transport.write_backing(place, value)
            assert store.base == 0x5000
            np.testing.assert_array_equal(await transport.read_backing(place, len(value)), value)
            assert store.base == 0x5000

    run_sync(body())
    expected = {place + 4 * n: int(v) for place, value in zip(places, values, strict=True) for n, v in enumerate(value)}
    assert store.words == expected
    assert all(base % 4096 == 0 for base in store.bases)
    assert len(store.bases) < 4 * len(places) + 8, "the window is moved where it has to be"
