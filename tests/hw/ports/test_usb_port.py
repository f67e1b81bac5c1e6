"""UsbLink: the host's SerialTransport over USB at UTMI, in front of a memory that the test plays."""

from __future__ import annotations

import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from luna.gateware.interface.utmi import UTMIInterface
from narrows.hw.ports.usb_port import UsbLink
from narrows.hw.spec.config import AcceleratorConfig, ConfigError
from narrows.hw.spec.link import USB_IDS, Command, LinkStatus
from narrows.hw.spec.registers import VERSION, Region, region_address
from narrows.hw.verilog import to_verilog
from narrows.sw.runtime.serial_frames import encode_request, parse_reply, reply_bytes
from narrows.sw.runtime.serial_transport import SerialTransport
from port_harness import Words, run_with_port
from utmi_host import PACKET, Mishaps, UtmiHost, UtmiLine

CONFIG = AcceleratorConfig(host="usb")
PLACE = region_address(CONFIG, Region.ACTIVATIONS)
GAP = 3
"""Frames in place of USB_GAP_FRAMES, and these shorter than 1 ms: simulated ones of that length take seconds."""
USB_HZ = 12e6


@pytest.fixture(autouse=True)
def _short_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrows.hw.ports.usb_port.USB_GAP_FRAMES", GAP)


def with_host(body: Callable[[UtmiHost, Words], Awaitable[None]], *, core_hz: float = 18e6) -> None:
    """Run ``body(host, words)`` against a fresh link."""
    utmi: Any = UTMIInterface()

    async def bench(ctx: Any, words: Words) -> None:
        await body(UtmiHost(ctx, utmi), words)

    run_with_port(UsbLink(CONFIG, bus=utmi), bench, clocks={"sync": 1 / core_hz, "usb": 1 / USB_HZ})


async def opened(host: UtmiHost, *, polls: int = 12) -> tuple[UtmiLine, SerialTransport]:
    line = UtmiLine(host, quiet_frames=GAP + 2, polls=polls)
    return line, await SerialTransport.open(line)


def test_a_host_finds_a_serial_port_that_says_whose_it_is() -> None:
    async def body(host: UtmiHost, words: Words) -> None:
        found = await host.enumerate()
        assert struct.unpack_from("<HH", found["device"], 8) == USB_IDS
        parts, rest = [], found["configuration"]
        while rest:
            parts.append(rest[1 : rest[0]])
            rest = rest[rest[0] :]
        endpoints = [(part[1], part[2], int.from_bytes(part[3:5], "little")) for part in parts if part[0] == 5]
        assert endpoints == [(0x83, 3, PACKET), (0x84, 2, PACKET), (0x04, 2, PACKET)]
        assert [tuple(part[4:7]) for part in parts if part[0] == 4] == [(2, 2, 1), (10, 0, 0)]
        assert found["string 1"][2:].decode("utf-16-le") == "narrows"
        assert found["string 2"][2:].decode("utf-16-le") == f"narrows core {CONFIG.hash32:08x}"
        await host.control_out(0x21, 0x20, 0, 0, struct.pack("<IBBB", 1_000_000, 0, 0, 8))
        info = (await opened(host))[1].info
        assert (info.config, info.build, info.version) == (CONFIG.hash32, CONFIG.build32, VERSION)

    with_host(body)


def test_behind_a_reset_the_device_stays_away_until_a_host_has_noticed() -> None:
    async def body(host: UtmiHost, words: Words) -> None:
        assert await host.absent() > 10e-6 * USB_HZ, "four times what a hub takes"
        await host.attach()
        assert (await opened(host))[1].info.config == CONFIG.hash32

    with_host(body)


@pytest.mark.parametrize("core_hz", [10e6, 24e6])
def test_words_written_are_the_words_read_whatever_the_cores_clock(core_hz: float) -> None:
    async def body(host: UtmiHost, words: Words) -> None:
        await host.attach()
        _, transport = await opened(host, polls=200)  # a slow core has much to catch up with
        values = np.random.default_rng(3).integers(0, 1 << 32, 45, dtype=np.uint32)
        await transport.write(PLACE + 28, values)
        assert words == {(Region.ACTIVATIONS, 7 + number): int(value) for number, value in enumerate(values)}
        np.testing.assert_array_equal(await transport.read(PLACE + 28, len(values)), values)
        assert transport.repeated == 0
        assert host.naks > 0 or core_hz > 20e6, "a slow core lets the host wait"

    with_host(body, core_hz=core_hz)


def test_harmed_packets_and_unheard_answers_cost_time_and_nothing_else() -> None:
    rng = np.random.default_rng(7)

    async def body(host: UtmiHost, words: Words) -> None:
        await host.attach()
        _, transport = await opened(host)
        host.mishaps = Mishaps(harmed=0.1, unheard=0.1, seed=7)
        for number in range(2):
            values = rng.integers(0, 1 << 32, 20, dtype=np.uint32)
            await transport.write(PLACE + 80 * number, values)
            np.testing.assert_array_equal(await transport.read(PLACE + 80 * number, len(values)), values)
        assert len(words) == 40 and transport.repeated == 0
        assert host.mishaps.count >= 5

    with_host(body)


def test_requests_in_a_row_wait_for_each_other() -> None:
    async def body(host: UtmiHost, words: Words) -> None:
        await host.attach()
        line, _ = await opened(host)
        batches = [np.arange(first, first + 20, dtype=np.uint32) for first in (0, 20)]
        frames = [
            encode_request(Command.WRITE, sequence=50 + number, address=PLACE + 80 * number, words=batch)
            for number, batch in enumerate(batches)
        ]
        await line.write(b"".join(frames) + encode_request(Command.READ, sequence=60, address=PLACE, count=40))
        for number in range(len(frames)):
            reply = parse_reply(await line.read(reply_bytes(0), 0))
            assert reply is not None and (reply.sequence, reply.status) == (50 + number, LinkStatus.OK)
        reply = parse_reply(await line.read(reply_bytes(40), 0))
        assert reply is not None and reply.words.tolist() == list(range(40))

    with_host(body)


def test_a_reply_of_whole_packets_ends_with_an_empty_one() -> None:
    async def body(host: UtmiHost, words: Words) -> None:
        await host.attach()
        await opened(host)
        count = (PACKET - reply_bytes(0)) // 4
        await host.bulk_out(encode_request(Command.READ, sequence=9, address=PLACE, count=count))
        packets = []
        while len(packets) < 2:
            if (packet := await host.bulk_in()) is not None:
                packets.append(len(packet))
        assert packets == [PACKET, 0]

    with_host(body)


def test_a_request_that_breaks_off_is_given_up_after_a_gap() -> None:
    frame = encode_request(Command.WRITE, sequence=9, address=PLACE, words=np.array([1], dtype=np.uint32))
    harmed = frame[:-1] + bytes([frame[-1] ^ 1])

    async def body(host: UtmiHost, words: Words) -> None:
        await host.attach()
        line, _ = await opened(host)
        for broken in (frame[:1], frame[:10], harmed, harmed[:3] + bytes([0]) + frame[4:]):
            await line.write(broken)
            assert await line.read(1, 0) == b"" and words == {}
        await line.write(frame)
        reply = parse_reply(await line.read(reply_bytes(0), 0))
        assert reply is not None and reply.status is LinkStatus.OK and words == {(Region.ACTIVATIONS, 0): 1}

    with_host(body)


@pytest.mark.parametrize("again", ["reset", "configure"])
def test_a_reset_forgets_what_was_under_way_and_starts_the_toggles_anew(again: str) -> None:
    write = encode_request(Command.WRITE, sequence=9, address=PLACE, words=np.arange(30, dtype=np.uint32))
    read = encode_request(Command.READ, sequence=9, address=PLACE, count=60)

    async def body(host: UtmiHost, words: Words) -> None:
        await host.attach()
        for number, sent in enumerate((write[:PACKET], write[: PACKET + 9], read)):
            line, transport = await opened(host)
            await line.write(sent)
            if again == "reset":
                await host.attach(address=6 + number)
            else:
                await host.configure()
            assert await host.bulk_in() is None, "of a reply nothing is left"
            before = encode_request(Command.READ, sequence=1, address=PLACE, count=1)
            await line.write(before)
            reply = parse_reply(await line.read(reply_bytes(0), 0))
            assert reply is not None and reply.status is LinkStatus.NO_SESSION
            transport = await SerialTransport.open(line)
            await transport.write(PLACE, np.array([number], dtype=np.uint32))
            assert words == {(Region.ACTIVATIONS, 0): number} and transport.repeated == 0

    with_host(body)


def test_without_luna_one_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "luna.gateware.usb.devices.acm", None)
    with pytest.raises(ConfigError, match=r"host 'usb' needs the package luna-usb: pip install 'narrows\[usb\]'"):
        to_verilog(CONFIG)
