"""The wake word's program, compiled with stand-ins for the system's SPI, against the machine's model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.sw.audio import features_of, frame_times
from narrows.sw.audio.detection import heard
from narrows.sw.standalone.audio_files import audio_files
from numpy.typing import NDArray
from sounds import sounds
from spi_programs import COMPILER, SpiProgram
from wake_models import STATES, wake_model

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "wake_word" / "main.c"
SEED = 8

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")

SPIDEV = """
#include <stdint.h>
struct spi_ioc_transfer { uintptr_t tx_buf, rx_buf; uint32_t len, speed_hz; };
#define SPI_IOC_MESSAGE(n) n
"""
IOCTL = "#define ioctl control_device\nint control_device(int, int, void *);\n"
FCNTL = "#define O_RDWR 2\n#define open open_device\nint open_device(const char *, int);\n"
SYSTEM = """
#include <assert.h>
#include <string.h>
#include "fcntl.h"
#include "linux/spi/spidev.h"
extern void (*take)(const uint8_t *, uint32_t, uint8_t *, uint32_t);
int open_device(const char *name, int how) { assert(!strcmp(name, "/dev/spidev0.0") && how == O_RDWR); return 7; }
int control_device(int device, int message, void *given)
{
    struct spi_ioc_transfer *parts = given;

    assert(device == 7 && message == 2 && parts[0].speed_hz == 1000000 && !parts[0].rx_buf && !parts[1].tx_buf);
    take((const uint8_t *)parts[0].tx_buf, parts[0].len, (uint8_t *)parts[1].rx_buf, parts[1].len);
    return 0;
}
"""


@contextmanager
def standard_input(samples: NDArray[np.int16], folder: Path) -> Iterator[None]:
    """Samples in the place of this process' standard input."""
    (folder / "samples.raw").write_bytes(samples.astype("<i2").tobytes())
    kept, given = os.dup(0), os.open(folder / "samples.raw", os.O_RDONLY)
    os.dup2(given, 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(given)
        os.close(kept)


def test_it_hears_what_python_hears(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    samples = sounds(4.0, np.random.default_rng(SEED))["bursts"]
    frames = features_of(samples)
    frames = frames[: len(frames) // 3 * 3].reshape(-1, 3, 40)
    model = narrows.load(wake_model(tmp_path / "wake.onnx"), states=STATES)
    program = model.quantize(frames, weights="int8", acts="int8").compile(narrows.Config("medium", acc_bits=24))
    above = heard(program.run(frames)["y"], 0.85)
    times = frame_times(len(frames), 3)[above & ~np.concatenate([[False], above[:-1]])]
    assert len(times) > 1
    system = {"linux/spi/spidev.h": SPIDEV, "sys/ioctl.h": IOCTL, "fcntl.h": FCNTL, "system.c": SYSTEM}
    host = SpiProgram(program.compiled, tmp_path, [EXAMPLE], system | audio_files())
    with standard_input(samples, tmp_path):
        host.main()
    assert capfd.readouterr().out == "".join(f"{time:.2f} s: heard\n" for time in times)
