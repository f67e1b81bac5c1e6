"""meet_core: what a driver has to know of a core before it does anything to it; closing a core's streams."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...hw.spec.boot import BootState
from ...hw.spec.config import PRESETS, AcceleratorConfig
from ...hw.spec.registers import MAGIC, VERSION, Register, Status, Stream
from ..errors import ProgramMismatch
from .transport import Transport, TransportError

__all__ = ["Met", "close_streams", "config_name", "meet_core"]

_CLOSING = 10_000
"""Looks at STATUS until streams are closed."""

_BOOT_POLLS = 1 << 16
"""Looks at a core that boots: a boot takes some 10,000 of them on a bus, and hundreds on a serial link."""


class Met(NamedTuple):
    """Bytes of a core's frames, which no program depends on, whether it has streams, and the instruction at which its
    runs begin now."""

    frame_bytes: int
    streams: bool
    entry: int


async def meet_core(transport: Transport, config: AcceleratorConfig) -> Met:
    """See that a core is there, of this configuration and idle: once it has booted, and with its streams closed.

    Raises
    ------
    ProgramMismatch
        If it was generated from another configuration.
    TransportError
        If there is no core, one of another version, or one that somebody else uses.
    """
    asked = (
        *(Register.MAGIC, Register.VERSION, Register.CONFIG, Register.STATUS),
        *(Register.FRAME_BYTES, Register.STREAM, Register.ENTRY),
    )
    words = await transport.read(Register.MAGIC.offset, Register.ENTRY.offset // 4 + 1)
    magic, version, own, status, frame_bytes, streams, entry = (int(words[register.offset // 4]) for register in asked)
    if magic != MAGIC:
        raise TransportError(f"there is no narrows core: MAGIC reads 0x{magic:08x} instead of 0x{MAGIC:08x}")
    if version != VERSION:
        raise TransportError(
            f"the core has version {version} of the contract, this is version {VERSION}: generate the core again"
        )
    if own != config.hash32:
        raise ProgramMismatch(
            f"the core was generated from {config_name(own)}, not from {config_name(config.hash32)}: name the core's "
            "own configuration"
        )
    if streams & Stream.ENABLE:
        status = await close_streams(transport)
    if status & Status.BUSY:
        await _wait_for_boot(transport)
    return Met(frame_bytes, bool(streams & Stream.PRESENT), entry)


async def _wait_for_boot(transport: Transport) -> None:
    """Wait for a core that loads its program; with any other one that is busy something is wrong."""
    first, booting = Register.STATUS.offset, True
    for _ in range(_BOOT_POLLS):
        words = await transport.read(first, (Register.BOOT.offset - first) // 4 + 1)
        if not int(words[0]) & Status.BUSY:
            return
        booted_before, booting = not booting, int(words[-1]) & 0xFF == BootState.BOOTING
        if booted_before and not booting:  # STATUS is read first: the boot may have ended in between, once
            raise TransportError("the core is busy with a run that somebody else started: reset it")
    raise TransportError("the core does not come to the end of its boot: is its clock right?")


async def close_streams(transport: Transport) -> int:
    """STATUS, once a core's streams are closed and it is idle, or takes too long for that."""
    await transport.write(Register.STREAM.offset, np.array([0], dtype=np.uint32))
    status = int(Status.BUSY)
    for _ in range(_CLOSING):
        status = int((await transport.read(Register.STATUS.offset, 1))[0])
        if not status & Status.BUSY:
            break
    return status


def config_name(hash32: int) -> str:
    """How messages name a configuration."""
    for name, preset in PRESETS.items():
        if preset.hash32 == hash32:
            return f"configuration {hash32:08x} (preset {name})"
    return f"configuration {hash32:08x}"
