"""Which serial port a board is at, among those that pyserial lists."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from narrows.hw.spec.link import USB_IDS
from narrows.sw.errors import ToolMissing
from narrows.sw.runtime import TransportError
from narrows.sw.runtime.serial_ports import choose_port, find_port

FT231X, FT2232H = (0x0403, 0x6015), (0x0403, 0x6010)


def port(device: str, ids: tuple[int, int] | None = None, location: str | None = None) -> Any:
    vid, pid = ids or (None, None)
    return SimpleNamespace(device=device, vid=vid, pid=pid, location=location)


PORTS = [
    port("/dev/ttyS0"),
    port("/dev/ttyUSB10", FT2232H, "1-2:1.1"),
    port("/dev/ttyUSB9", FT2232H, "1-2:1.0"),
    port("/dev/ttyUSB0", FT231X, "1-3:1.0"),
    port("/dev/ttyACM0", USB_IDS, "1-4:1.0"),
]


@pytest.mark.parametrize(
    ("ids", "device"), [(FT231X, "/dev/ttyUSB0"), (FT2232H, "/dev/ttyUSB10"), (USB_IDS, "/dev/ttyACM0")]
)
def test_a_board_is_known_by_its_usb_chip_and_the_chips_last_port_is_the_uart(
    ids: tuple[int, int], device: str
) -> None:
    assert choose_port(PORTS, ids, "the board") == device


def test_an_adapter_is_the_only_port_on_usb() -> None:
    assert choose_port(PORTS[:1] + PORTS[3:4], None, "the board") == "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("ports", "ids", "message"),
    [
        (
            PORTS[:4],
            USB_IDS,
            "there is no port for the board: USB device 1209:0001 is not plugged in (/dev/ttyUSB10 is 0403:6010, "
            "/dev/ttyUSB9 is 0403:6010, /dev/ttyUSB0 is 0403:6015)",
        ),
        (PORTS[:1], None, "there is no port for the board: a USB serial port is not plugged in (there are no others)"),
        (
            [port("COM3", FT231X, "1-3"), port("COM4", FT231X, "1-4")],
            FT231X,
            "there are several ports for the board, COM3, COM4: name one with --port",
        ),
        (PORTS, None, "there are several ports for the board, /dev/ttyACM0, /dev/ttyUSB0, /dev/ttyUSB10"),
    ],
)
def test_none_or_several_are_told_in_one_line(ports: list[Any], ids: tuple[int, int] | None, message: str) -> None:
    with pytest.raises(TransportError, match=re.escape(message)) as caught:
        choose_port(ports, ids, "the board")
    assert "\n" not in str(caught.value)


def test_a_missing_pyserial_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial.tools.list_ports", None)
    with pytest.raises(ToolMissing, match=r"^pyserial is not installed: pip install 'narrows\[run\]'$"):
        find_port(None, "the board")
