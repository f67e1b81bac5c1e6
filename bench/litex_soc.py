"""The core in a LiteX SoC: digits through LiteX's own interconnect, simulated, against the golden model.

    pip install litex
    python bench/litex_soc.py --images 20

LiteX generates a SoC without a processor: a bus with LiteX's own registers, a master that comes in at its pins, and
the core at 0x90000000 as `docs/standalone.md` adds it. The SoC's Verilog then takes the core's place in co-simulation,
behind the Wishbone master of `sim/cosim/wishbone.v`.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from litex.build.generic_platform import Pins
from litex.build.sim import SimPlatform
from litex.gen import ClockSignal, Instance, LiteXModule, ResetSignal, Signal
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import wishbone
from migen import ClockDomain
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.registers import ADDRESS_BITS
from narrows.hw.verilog import to_verilog
from narrows.sim.cosim.inference import run_program
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input

_BASE = 0x9000_0000
_PINS = {"cyc": 1, "stb": 1, "we": 1, "adr": ADDRESS_BITS - 2, "sel": 4, "dat_w": 32, "dat_r": 32, "ack": 1, "err": 1}
_FROM_MASTER = ("cyc", "stb", "we", "adr", "sel", "dat_w")


class Narrows(LiteXModule):
    """The core behind a LiteX bus; ``irq`` is high while a run is done or faulted."""

    def __init__(self) -> None:
        self.bus = bus = wishbone.Interface(data_width=32, address_width=ADDRESS_BITS, addressing="word")
        self.irq = Signal()
        self.specials += Instance(
            "narrows_ip",
            i_clk=ClockSignal("sys"),
            i_rst=ResetSignal("sys"),
            o_irq=self.irq,
            **{f"{'i' if name in _FROM_MASTER else 'o'}_s_wb_{name}": getattr(bus, name) for name in _PINS},
        )


class Soc(SoCMini):
    """Bus, registers and core; the bus's master is at the pins ``s_wb_*``."""

    def __init__(self, platform: SimPlatform) -> None:
        self.cd_sys = ClockDomain()
        self.comb += [self.cd_sys.clk.eq(platform.request("clk")), self.cd_sys.rst.eq(platform.request("rst"))]
        super().__init__(platform, clk_freq=int(50e6), cpu_type=None, ident="", with_uart=False, with_timer=False)
        self.narrows = Narrows()
        self.bus.add_slave("narrows", self.narrows.bus, SoCRegion(origin=_BASE, size=1 << ADDRESS_BITS, cached=False))
        self.comb += platform.request("irq").eq(self.narrows.irq)
        outside = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        for name in _PINS:
            pin = platform.request(f"s_wb_{name}")
            if name == "adr":
                self.comb += outside.adr.eq(_BASE // 4 | pin)
            elif name in _FROM_MASTER:
                self.comb += getattr(outside, name).eq(pin)
            else:
                self.comb += pin.eq(getattr(outside, name))
        self.bus.add_master("outside", outside)


def soc_verilog(core: str) -> str:
    """Verilog of the SoC around a core, with the core's name and pins."""
    pins = [("clk", 0, Pins(1)), ("rst", 0, Pins(1)), ("irq", 0, Pins(1))]
    pins += [(f"s_wb_{name}", 0, Pins(width)) for name, width in _PINS.items()]
    platform = SimPlatform("SIM", pins)
    soc = Soc(platform)
    soc.finalize()
    return platform.get_verilog(soc, name="narrows_core").main_source + core.replace("narrows_core", "narrows_ip")


def main() -> int:
    """Run the digits; 1 if a level differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20, help="test images (default 20)")
    options = parser.parse_args()
    config = type(PRESETS["tiny"]).from_dict(PRESETS["tiny"].to_dict() | {"host": "wishbone"})
    with digits_model() as path:
        graph = lower(load_model(path))
    program = compile_graph(quantise(graph, digits().calib_x[:64], QuantSettings(), config), config)
    levels = prepare_input(program.graph, digits().test_x[: options.images])
    found = run_program(program, levels, verilog=soc_verilog(to_verilog(config)))
    golden = GoldenModel(program.graph, config).run(levels)
    different = sum(int(np.sum(tensor != golden[name])) for name, tensor in found.record.outputs.items())
    print(f"{options.images} images, {found.sim_cycles} cycles, {different} levels differ")  # noqa: T201
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
