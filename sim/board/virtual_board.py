"""VirtualBoard: a simulated board that a host finds at a pseudo-terminal."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO

from ..cosim.errors import SimulationError
from ..flash import FLASH_IMAGE, flash_arguments
from .build import build_board

__all__ = ["VirtualBoard"]


class VirtualBoard:
    """A board's own top under Verilator, at its pins; `port` is where its UART is, for any serial program, or on SPI an
    adapter that speaks serprog. On USB a host is played at the pins, and `port` is the serial port that it has found.

    Simulated time passes on its own, some hundred thousand clock cycles a second, so a host's timeouts have to be
    those of a line of a few kilobaud. The pseudo-terminal takes any baud rate; bits at the pins are ``divisor`` cycles.

    Parameters
    ----------
    verilog : str
        The top with everything below it, but for clock generators and pin buffers (`cells.v`).
    top : str
        Name of the top module; its pins are named as `build.bench_of` says.
    link : str
        How its host is connected: ``"uart"``, ``"spi"`` or ``"usb"``.
    divisor : int
        Clock cycles of a bit on that.
    flash : bytes
        What a board that is alone finds in its flash, from byte ``flash_offset`` on.

    Raises
    ------
    ToolMissing, SimulationError
        As `build_board` does; SimulationError also if the simulation does not start.
    """

    def __init__(
        self, verilog: str, *, top: str, link: str, divisor: int, flash: bytes = b"", flash_offset: int = 0
    ) -> None:
        program = build_board(verilog, top, link)
        self._folder = tempfile.TemporaryDirectory(prefix="narrows-board-")
        image = Path(self._folder.name) / FLASH_IMAGE
        image.write_bytes(flash)
        self._process = subprocess.Popen(
            [str(program), str(divisor), *flash_arguments(image, flash_offset)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._counted = threading.Condition()
        self._cycles: int | None = None
        self.leds = 0
        """Levels of the LEDs' pins, LED 0 in the lowest bit; boards differ in which level is light."""
        self.complaints: list[str] = []
        """What the models of chips at the board's pins have found wrong, the first lines of it."""
        first = self._output().readline().split()
        if first[:1] != ["port"]:
            self.close()
            raise SimulationError("the board's simulation did not start: no pseudo-terminal is to be had")
        self.port = Path(first[1])
        """The board's UART, SPI adapter or device on USB, as a serial port."""
        threading.Thread(target=self._listen, daemon=True).start()

    def reset(self) -> None:
        """Take the power away for a moment."""
        self._say("reset")

    def set_noise(self, share: float) -> None:
        """From now on turn the line to the board over in this share of all clock cycles, at random."""
        self._say(f"noise {share}")

    def set_drops(self, share: float) -> None:
        """From now on lose this share of all bytes, either way, at random; on SPI a pulse of a byte, on USB packets."""
        self._say(f"drop {share}")

    def cycles(self) -> int:
        """Clock cycles simulated so far.

        Raises
        ------
        SimulationError
            If the simulation has ended.
        """
        with self._counted:
            self._cycles = None
            self._say("cycles")
            self._counted.wait_for(lambda: self._cycles is not None or self._process.poll() is not None)
            if self._cycles is None:
                raise SimulationError("the board's simulation has ended")
            return self._cycles

    def wait(self) -> None:
        """Until the simulation ends."""
        self._process.wait()

    def close(self) -> None:
        """End the simulation."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise SimulationError("the board's simulation has ended") from error

    def _listen(self) -> None:
        with self._output() as output:
            for line in output:
                word, _, value = line.partition(" ")
                if word in ("sdram:", "flash:"):
                    self.complaints.append(line.strip())
                elif word == "leds":
                    self.leds = int(value, 16)
                elif word == "cycles":
                    with self._counted:
                        self._cycles = int(value)
                        self._counted.notify_all()
        with self._counted:
            self._counted.notify_all()
