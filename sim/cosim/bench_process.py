"""BenchProcess: a simulator that runs a bench of `clock.v`, and the way to it: batches of words, an answer to each."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...sw.errors import NarrowsError
from ...sw.processes import started
from .errors import SimulationError

__all__ = ["BenchProcess", "running_bench"]

_PIECE = 1 << 16


class BenchProcess:
    """A bench that waits for batches; between them its time stands still.

    Parameters
    ----------
    process : Popen
        Whose standard input takes the batches.
    responses : int
        File descriptor that its answers come from.
    patience : float
        Seconds that a batch may take.
    """

    def __init__(self, process: subprocess.Popen[bytes], responses: int, patience: float) -> None:
        assert process.stdin is not None
        self._process, self._responses, self._patience = process, responses, patience
        self._commands = process.stdin
        os.set_blocking(self._commands.fileno(), False)

    def play(self, words: NDArray[np.uint32]) -> str:
        """Let the bench play a batch, of shape (n,); what it answers, hexadecimal digits.

        Raises
        ------
        SimulationError
            If it takes longer than the bench may, or the simulator ends.
        """
        left = memoryview(np.concatenate([np.array([len(words)], dtype=np.uint32), words]).astype(">u4").tobytes())
        while left:
            self._await([], [self._commands])
            try:
                left = left[os.write(self._commands.fileno(), left) :]
            except BrokenPipeError:
                raise self._ended() from None
        pieces: list[bytes] = []
        while not pieces or not pieces[-1].endswith(b"\n"):
            self._await([self._responses], [])
            pieces.append(os.read(self._responses, _PIECE))
            if not pieces[-1]:
                raise self._ended()
        return b"".join(pieces).decode("ascii")

    def finish(self) -> None:
        """Let the simulator end, as it does where no batch comes any more; SimulationError if it ends with an error."""
        self._commands.close()
        if self._process.wait() != 0:
            raise self._ended()

    def _await(self, readable: list[Any], writable: list[Any]) -> None:
        if not any(select.select(readable, writable, [], self._patience)):
            raise SimulationError(f"the simulation showed no progress for {self._patience:.0f} seconds")

    def _ended(self) -> SimulationError:
        program = Path(self._process.args[0]).name  # type: ignore[index]
        return SimulationError(f"{program} ended with code {self._process.wait()}")


@contextlib.contextmanager
def running_bench(command: Sequence[str], *, folder: Path, log: Path, patience: float) -> Iterator[BenchProcess]:
    """A bench that runs for as long as the block, and ends as `BenchProcess.finish` says; an error that is not for the
    user kills it.

    Parameters
    ----------
    command : sequence of str
        What starts the simulator.
    folder : Path
        Where it runs.
    log : Path
        File for what it says.
    patience : float
        Seconds that a batch may take.
    """
    reading, writing = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reading)
        with contextlib.ExitStack() as until_started:
            until_started.callback(os.close, writing)
            process = stack.enter_context(
                started(
                    [*command, f"+responses=/dev/fd/{writing}"],
                    cwd=folder,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=stack.enter_context(log.open("wb")),
                    stderr=subprocess.STDOUT,
                    pass_fds=(writing,),
                )
            )
        bench = BenchProcess(process, reading, patience)
        try:
            yield bench
        except SimulationError:
            raise
        except NarrowsError:
            bench.finish()
            raise
        bench.finish()
