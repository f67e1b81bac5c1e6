"""CFeatures: the C front end of keyword models, compiled here."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
from narrows.sw.standalone.audio_files import audio_files
from numpy.typing import NDArray

__all__ = ["COMPILER", "CFeatures"]

COMPILER = shutil.which("cc")

_FLAGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror", "-O2")
_GLUE = """
#include "narrows_audio.h"
static narrows_audio audio;
void glue_reset(void) { narrows_audio_reset(&audio); }
uint32_t glue_lines(const int16_t *samples, uint32_t count, uint16_t *lines)
{
    uint32_t found = 0;
    while (narrows_audio_line(&audio, &samples, &count, lines + NARROWS_AUDIO_FEATURES * found))
        found++;
    return found;
}
uint32_t glue_bytes(void) { return sizeof audio; }
"""


class CFeatures:
    """A stream, as `MicroFeatures` is one; compiled into ``folder``."""

    def __init__(self, folder: Path) -> None:
        assert COMPILER is not None
        for name, text in (audio_files() | {"glue.c": _GLUE}).items():
            (folder / name).write_text(text)
        command = [COMPILER, *_FLAGS, "-shared", "-fPIC", "narrows_audio.c", "glue.c", "-o", "audio.so"]
        subprocess.run(command, cwd=folder, check=True)
        self._c = ctypes.CDLL(str(folder / "audio.so"))
        self.state_bytes = int(self._c.glue_bytes())
        self.reset()

    def reset(self) -> None:
        self._c.glue_reset()

    def __call__(self, samples: NDArray[np.int16]) -> NDArray[np.uint16]:
        """Lines that these samples complete, shape (lines, 40)."""
        lines = np.zeros((len(samples) // 160 + 1, 40), dtype=np.uint16)
        given = np.ascontiguousarray(samples)
        pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (given, lines))
        return lines[: self._c.glue_lines(next(pointers), len(given), next(pointers))]
