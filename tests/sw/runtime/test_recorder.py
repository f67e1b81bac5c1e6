"""What a recorder answers to the driver, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.boot import decode_image
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import MAGIC, VERSION, Control, Register
from narrows.sw.runtime import TransportError, run_sync
from narrows.sw.runtime.recorder import Recorder

CONFIG = AcceleratorConfig()


def test_registers_are_those_of_the_core_wherever_a_read_begins() -> None:
    recorder = Recorder(CONFIG)
    known = {Register.MAGIC.offset: MAGIC, Register.VERSION.offset: VERSION, Register.CONFIG.offset: CONFIG.hash32}
    for first in (0, 4, 8):
        found = run_sync(recorder.read(first, 6)).tolist()
        assert found == [known.get(first + 4 * number, 0) for number in range(6)]


def test_writes_are_kept_as_they_were_but_for_control() -> None:
    recorder, values = Recorder(CONFIG), np.array([1, 2], dtype=np.uint32)
    run_sync(recorder.write(0x1000, values))
    values[:] = 9
    run_sync(recorder.write(Register.CONTROL.offset, np.array([Control.CLEAR], dtype=np.uint32)))
    assert [(address, words.tolist()) for address, words in decode_image(recorder.image())] == [(0x1000, [1, 2])]
    with pytest.raises(TransportError, match="a recorder runs nothing"):
        run_sync(recorder.wait(1))
