"""NetlistPlatform: modules that are written once, and the tables that simulators take for them."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from narrows.hw.array.multiplier import Multiplier
from narrows.hw.array.operand import act_operand, weight_operand
from narrows.hw.array.recoder import Recoder
from narrows.hw.cells.netlist import LookupTable, NetlistPlatform, SharedModule
from narrows.hw.spec.config import FABRICS, AcceleratorConfig, bases_of
from narrows.hw.verilog import convert

BASES = ["dybit4", "e2m1", "e3m0", "dybit3", "dybit3xdybit4", "int3xdybit4", "dybit4xint4", "dybit3xint4"]
MASKS = LookupTable(inputs={"a": 2, "b": 1}, outputs={"y": (0, 1, 2, 3, 0, 0, 7, 0)}, inverted={"y": "n"})


class Masks(wiring.Component):
    """A component with a table, which is another one than its logic here."""

    def __init__(self) -> None:
        super().__init__({"a": In(3), "b": In(1), "n": In(1), "y": Out(3)})

    def elaborate(self, platform: Any) -> Module:
        if isinstance(platform, NetlistPlatform) and (instance := platform.instance(self, "masks", MASKS)) is not None:
            return instance
        m = Module()
        m.d.comb += self.y.eq(self.a ^ self.n.replicate(3))
        return m


class Two(wiring.Component):
    """Two of them."""

    def __init__(self) -> None:
        super().__init__({"a": In(3), "y": Out(3)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.first, m.submodules.second = first, second = Masks(), Masks()
        m.d.comb += [first.a.eq(self.a), second.a.eq(first.y), self.y.eq(second.y)]
        return m


def test_a_shared_module_is_written_once_and_has_the_table_beside_it() -> None:
    text = convert(Two(), "two")
    assert text.count("  masks shared (") == 2
    table, own = text.split("`ifdef VERILATOR\n")[1].split("`else\n")
    assert table == (
        "module masks (input [2:0] a, input [0:0] b, input [0:0] n, output [2:0] y);\n"
        "    localparam [2:0] y_of [0:7] = '{0, 1, 2, 3, 0, 0, 7, 0};\n"
        "    assign y = y_of[{b[0:0], a[1:0]}] ^ {3{n}};\n"
        "endmodule\n"
    )
    assert own.startswith("module masks(")
    assert own.rstrip().endswith("endmodule\n`endif")
    assert own.count("module masks") == 1


def test_an_output_that_is_always_the_same_needs_no_table() -> None:
    table = LookupTable(inputs={"a": 1}, outputs={"y": (5, 5)}, inverted={})
    assert "localparam" not in table.verilog("same", {"a": (True, 1), "y": (False, 3)})
    assert "    assign y = 5;\n" in table.verilog("same", {"a": (True, 1), "y": (False, 3)})


def test_two_values_are_a_table() -> None:
    table = LookupTable(inputs={"a": 1}, outputs={"y": (5, 2)}, inverted={})
    text = table.verilog("two", {"a": (True, 1), "y": (False, 3)})
    assert "    localparam [2:0] y_of [0:1] = '{5, 2};\n    assign y = y_of[{a[0:0]}];\n" in text


def shared_of(component: wiring.Component) -> SharedModule:
    """What a component leaves with the platform."""
    platform = NetlistPlatform()
    Fragment.get(component, platform)
    (module,) = platform.shared.values()
    return module


@pytest.mark.parametrize("fabric", FABRICS)
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("masked", [False, True])
def test_the_table_of_a_multiplier_is_what_its_logic_does(base: str, fabric: str, masked: bool) -> None:
    config = AcceleratorConfig(**bases_of(base), fabric=fabric)
    x, w = act_operand(config), weight_operand(config)
    table = shared_of(Multiplier(config, first=True, masked=masked)).table
    dut: Any = Multiplier(config, first=True, masked=masked)
    assert table.inputs == {"x": x.base.magnitude_bits, "w": w.base.magnitude_bits}
    assert table.inverted == {"product": "inverted"}
    checked = []

    async def bench(ctx: Any) -> None:
        for b in range(1 << w.base.magnitude_bits):
            for a in range(1 << x.base.magnitude_bits):
                index = b << x.base.magnitude_bits | a
                ctx.set(dut.x.as_value(), x.bits(a))
                ctx.set(dut.w.as_value(), w.bits(b))
                await ctx.delay(1e-9)
                mask = ctx.get(dut.mask) if masked else -1
                product = table.outputs["product"][index] & (table.outputs["mask"][index] if masked else -1)
                assert ctx.get(dut.product) & mask == product
                checked.append(index)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert checked == list(range(len(table.outputs["product"])))


@pytest.mark.parametrize("side", ["x", "w"])
@pytest.mark.parametrize("base", [*BASES, "int4", "int4xint8", "dybit2"])
def test_the_table_of_a_recoder_is_what_its_logic_does(base: str, side: str) -> None:
    config = AcceleratorConfig(**bases_of(base))
    operand = (act_operand if side == "x" else weight_operand)(config)
    table, dut = shared_of(Recoder(operand, side)).table, Recoder(operand, side)
    checked = []

    async def bench(ctx: Any) -> None:
        for code in range(1 << operand.base.bits):
            ctx.set(dut.code, code)
            await ctx.delay(1e-9)
            checked.append(ctx.get(dut.operand.as_value()))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert tuple(checked) == table.outputs["operand"]
