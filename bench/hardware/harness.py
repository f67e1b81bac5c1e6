"""HARNESS: Verilog around a unit of thousands of pins, so that it can be placed on a device of some."""

from __future__ import annotations

__all__ = ["HARNESS_TOP", "harness"]

HARNESS_TOP = "narrows_harness"


def harness(unit: str, *, operands: int, results: int) -> str:
    """Verilog of `HARNESS_TOP`, with four pins, around an instance of module ``unit``.

    A shift register feeds ``operands`` bits; ``results`` bits are captured, then folded into one by XORs of four, a
    register after each. The unit's own paths stay the slow ones, though the harness takes place: cells are counted
    without it.
    """
    lines = [
        f"module {HARNESS_TOP} (input clk, input rst, input i, output o);",
        f"  reg [{operands - 1}:0] chain;",
        f"  wire [{results - 1}:0] results;",
        f"  {unit} unit (.clk(clk), .rst(rst), .operands(chain), .results(results));",
        f"  reg [{results - 1}:0] fold0;",
        "  always @(posedge clk) begin",
        "    chain <= {chain, i};",
        "    fold0 <= results;",
        "  end",
    ]
    level, width = 0, results
    while width > 1:
        following = -(-width // 4)
        lines.append(f"  reg [{following - 1}:0] fold{level + 1};")
        lines.append("  always @(posedge clk) begin")
        for bit in range(following):
            high = min(4 * bit + 3, width - 1)
            lines.append(f"    fold{level + 1}[{bit}] <= ^fold{level}[{high}:{4 * bit}];")
        lines.append("  end")
        level, width = level + 1, following
    lines += [f"  assign o = fold{level}[0];", "endmodule", ""]
    return "\n".join(lines)
