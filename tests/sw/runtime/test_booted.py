"""What a host asks a core that should have booted, and what it says of the answers."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.boot import BootState, image_tag
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Register
from narrows.sw.errors import NarrowsError
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.booted import check_booted
from narrows.sw.runtime.recorder import Recorder

CONFIG = AcceleratorConfig()


def expected(value: int = 5) -> Recorder:
    recorder = Recorder(CONFIG)
    run_sync(recorder.write(0x1000, np.array([value], dtype=np.uint32)))
    return recorder


class _Core(Recorder):
    """A core whose registers PROGRAM_CONFIG and BOOT say this."""

    def __init__(self, program_config: int, boot: int) -> None:
        super().__init__(CONFIG)
        self._registers |= {Register.PROGRAM_CONFIG: program_config, Register.BOOT: boot}


def loaded(recorder: Recorder) -> int:
    return image_tag(recorder.image()) << 8 | BootState.LOADED


def test_a_core_that_booted_the_same_program_is_taken() -> None:
    run_sync(check_booted(_Core(CONFIG.hash32, loaded(expected())), CONFIG, expected()))


@pytest.mark.parametrize("state", [state for state in BootState if state is not BootState.LOADED])
def test_one_that_did_not_boot_says_why(state: BootState) -> None:
    boot = loaded(expected()) & ~0xFF | state
    with pytest.raises(NarrowsError, match=r"^the core holds no program from its flash: "):
        run_sync(check_booted(_Core(CONFIG.hash32, boot), CONFIG, expected()))


@pytest.mark.parametrize(
    "core", [_Core(CONFIG.hash32 ^ 1, loaded(expected())), _Core(CONFIG.hash32, loaded(expected(6)))]
)
def test_one_with_another_program_is_refused(core: _Core) -> None:
    with pytest.raises(NarrowsError, match="the program in the board's flash is another one"):
        run_sync(check_booted(core, CONFIG, expected()))
