"""check_booted: whether a core has loaded just these writes from its flash memory by itself."""

from __future__ import annotations

from ...hw.spec.boot import BootState, image_tag
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.registers import Register
from ..errors import ProgramMismatch
from .recorder import Recorder
from .transport import Transport

__all__ = ["check_booted"]

_NOT_LOADED = {
    BootState.ABSENT: "it was generated without boot",
    BootState.BOOTING: "it was reset just now",
    BootState.EMPTY: "nothing is written there",
    BootState.BAD_MAGIC: "what is there is no boot image",
    BootState.BAD_CRC: "the image there is damaged",
    BootState.REPLACED: "a host has loaded another one since; reset the core",
}


async def check_booted(transport: Transport, config: AcceleratorConfig, expected: Recorder) -> None:
    """See that a core of a configuration holds what was written to ``expected``.

    Raises
    ------
    ProgramMismatch
        If it holds no program from its flash, or another one.
    """
    first = Register.PROGRAM_CONFIG.offset
    words = await transport.read(first, (Register.BOOT.offset - first) // 4 + 1)
    program_config, boot = int(words[0]), int(words[-1])
    if boot & 0xFF != BootState.LOADED:
        raise ProgramMismatch(f"the core holds no program from its flash: {_NOT_LOADED[BootState(boot & 0xFF)]}")
    if program_config != config.hash32 or boot >> 8 != image_tag(expected.image()):
        raise ProgramMismatch("the program in the board's flash is another one: write this one there, or load it")
