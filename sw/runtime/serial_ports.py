"""find_port: the serial port of a USB device, by vendor and product."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from ..errors import ToolMissing
from .transport import TransportError

__all__ = ["ListedPort", "choose_port", "find_port"]


class ListedPort(Protocol):
    """What pyserial's ``list_ports`` tells of a port."""

    device: str
    vid: int | None
    pid: int | None
    location: str | None


def find_port(device: tuple[int, int] | None, what: str) -> str:
    """The port of a device that is plugged in.

    Parameters
    ----------
    device : tuple of (int, int) or None
        Vendor and product; None: any on USB, such as an adapter.
    what : str
        What is looked for, to people.

    Raises
    ------
    ToolMissing
        If pyserial is not installed.
    TransportError
        If there is none, or more than one.
    """
    try:
        from serial.tools.list_ports import comports
    except ImportError as error:
        raise ToolMissing("pyserial is not installed: pip install 'narrows[run]'") from error
    return choose_port(comports(), device, what)


def choose_port(ports: Iterable[ListedPort], device: tuple[int, int] | None, what: str) -> str:
    """The same among given ports. Of several of one chip the last one is taken: on boards the first one programs."""
    there = [port for port in ports if port.vid is not None and port.pid is not None]
    found: dict[str, ListedPort] = {}
    for port in sorted(there, key=lambda port: (len(port.device), port.device)):
        if device is None or (port.vid, port.pid) == device:
            found[re.sub(r":[^:]*$", "", port.location) if port.location else port.device] = port
    if len(found) == 1:
        return next(iter(found.values())).device
    name = "a USB serial port" if device is None else f"USB device {device[0]:04x}:{device[1]:04x}"
    if found:
        listed = ", ".join(port.device for port in found.values())
        raise TransportError(f"there are several ports for {what}, {listed}: name one with --port")
    listed = ", ".join(f"{port.device} is {port.vid:04x}:{port.pid:04x}" for port in there) or "there are no others"
    raise TransportError(f"there is no port for {what}: {name} is not plugged in ({listed})")
