"""Recorder: a transport that keeps what a driver writes, as a boot image holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.boot import encode_image
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.registers import MAGIC, VERSION, Register, Stream
from .transport import Transport, TransportError

__all__ = ["Recorder"]


class Recorder(Transport):
    """Answers as an idle core of a configuration would, and keeps all writes but those of CONTROL, which a core that
    boots does not take.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._registers = {
            Register.MAGIC: MAGIC,
            Register.VERSION: VERSION,
            Register.CONFIG: config.hash32,
            Register.FRAME_BYTES: config.frame_bytes,
            Register.STREAM: Stream.PRESENT if config.streams else 0,
        }
        self._writes: list[tuple[int, NDArray[np.uint32]]] = []

    def image(self) -> bytes:
        """Boot image of what was written."""
        return encode_image(self._writes)

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        """Keep words."""
        if address != Register.CONTROL.offset:
            self._writes.append((address, values.copy()))
        if address == Register.ENTRY.offset:
            self._registers[Register.ENTRY] = int(values[0])

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        """Registers of the core; others read as 0."""
        words = {register.offset: value for register, value in self._registers.items()}
        return np.array([words.get(address + 4 * number, 0) for number in range(count)], dtype=np.uint32)

    async def wait(self, timeout_cycles: int) -> int | None:
        """Never called: nothing is run."""
        raise TransportError("a recorder runs nothing")
