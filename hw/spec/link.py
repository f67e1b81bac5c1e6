"""The serial link: frames between a host and a core with a UART, SPI or USB (`docs/host_link.md`)."""

from __future__ import annotations

import enum

from .config import AcceleratorConfig
from .registers import MAGIC, VERSION

__all__ = [
    "CRC_BYTES",
    "GAP_BITS",
    "HEADER_BYTES",
    "LINK_VERSION",
    "MAX_WORDS",
    "REPLY_HEAD_BYTES",
    "REPLY_START",
    "REQUEST_START",
    "SPI_DIVISOR",
    "SPI_STORE_WORDS",
    "SPI_WAIT_BYTES",
    "FRAME_BLOCK_WORDS",
    "USB_BAUD",
    "USB_GAP_FRAMES",
    "USB_IDS",
    "Command",
    "Hello",
    "LinkStatus",
    "hello_words",
]

LINK_VERSION = 1
"""Version of the frames and their meaning."""

REQUEST_START, REPLY_START = 0xA5, 0x5A
"""First byte of a frame to the core, and of one from it."""

HEADER_BYTES = 7
"""Of a request behind its first byte: sequence number, command, number of words (of a FRAME of blocks of them), four of
the address."""

CRC_BYTES = 4
"""CRC-32 (ISO-HDLC) over all of a frame between its first byte and itself, least significant byte first."""

MAX_WORDS = 128
"""Most words of one burst."""

FRAME_BLOCK_WORDS = 16
"""What the number of words of a FRAME counts."""

GAP_BITS = 16384
"""Bit times of silence after which a core gives up the frame it is in; more than a USB adapter or an operating system
leaves between two bytes of one write, at up to 3 MBaud."""


SPI_DIVISOR = 8
"""Fewest clock cycles of a bit on SPI: the core samples SCK with its own clock."""

SPI_WAIT_BYTES = 16
"""More than pass on SPI before a reply begins: a core writes `MAX_WORDS` words in less than 800 cycles, a byte takes 64
at least."""

SPI_STORE_WORDS = 8
"""Most words of a WRITE to the backing store on SPI: each waits for the bus, all together no longer than that."""

USB_GAP_FRAMES = 16
"""USB frames, of 1 ms each, without a byte after which a core on USB gives up the request it is in."""

USB_BAUD = 1_000_000
"""Bits a second that a host's serial port on USB is opened with: bytes are as fast as they can be, but waiting is
measured in bits, and `GAP_BITS` of these are longer than `USB_GAP_FRAMES`."""

USB_IDS = (0x1209, 0x0001)
"""Vendor and product by which a host knows a core on USB: pid.codes' identifier for tests."""

REPLY_HEAD_BYTES = 3
"""Of a reply: first byte, sequence number, number of words."""


class Command(enum.IntEnum):
    """What a request asks for."""

    HELLO = 1  # so many of the words of `Hello`; begins a session
    READ = 2
    WRITE = 3
    FRAME = 4  # bytes of a frame, of cores with a frame memory


class LinkStatus(enum.IntEnum):
    """How a request ended."""

    OK = 0
    REFUSED = 1  # at least one access was; the others were carried out
    NO_SESSION = 2  # no HELLO since the reset
    UNKNOWN = 3  # no such command


class Hello(enum.IntEnum):
    """Words that a HELLO reads, by index."""

    MAGIC = 0
    LINK = 1  # LINK_VERSION above 16 bits of MAX_WORDS
    VERSION = 2
    CONFIG = 3  # as Register.CONFIG
    BUILD = 4  # AcceleratorConfig.build32
    DIVISOR = 5  # clock cycles of a bit; on SPI and USB the fewest


def hello_words(config: AcceleratorConfig) -> list[int]:
    """The words of `Hello` of a core."""
    return [
        MAGIC,
        LINK_VERSION << 16 | MAX_WORDS,
        VERSION,
        config.hash32,
        config.build32,
        {"spi": SPI_DIVISOR, "usb": 1}.get(config.host, config.uart_divisor),
    ]
