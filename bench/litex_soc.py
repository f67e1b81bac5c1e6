"""The core in a LiteX SoC: digits through LiteX's own interconnect, simulated, against the golden model.

docs/examples/litex_vexriscv has a SoC with a processor.

    pip install "narrows[litex]"
    python bench/litex_soc.py --images 20

LiteX generates a SoC without a processor: a bus with LiteX's own registers, a master that comes in at its pins, and
the core at 0x90000000 as `NarrowsCore` adds it. The SoC's Verilog then takes the core's place in co-simulation,
behind the Wishbone master of `sim/cosim/wishbone.v`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from litex.build.generic_platform import Pins
from litex.build.sim import SimPlatform
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import wishbone
from migen import ClockDomain
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.registers import ADDRESS_BITS
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sim.cosim.inference import run_program
from narrows.sim.golden import GoldenModel
from narrows.sw.api.config import Config
from narrows.sw.api.litex import NarrowsCore
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input

_BASE = 0x9000_0000
_PINS = {"cyc": 1, "stb": 1, "we": 1, "adr": ADDRESS_BITS - 2, "sel": 4, "dat_w": 32, "dat_r": 32, "ack": 1, "err": 1}
_FROM_MASTER = ("cyc", "stb", "we", "adr", "sel", "dat_w")


class Soc(SoCMini):
    """Bus, registers and core; the bus's master is at the pins ``s_wb_*``."""

    def __init__(self, platform: SimPlatform, config: Config, folder: str) -> None:
        self.cd_sys = ClockDomain()
        self.comb += [self.cd_sys.clk.eq(platform.request("clk")), self.cd_sys.rst.eq(platform.request("rst"))]
        super().__init__(platform, clk_freq=int(50e6), cpu_type=None, ident="", with_uart=False, with_timer=False)
        core = NarrowsCore(platform, config, folder)
        core.add_to(self, origin=_BASE)
        self.comb += platform.request("irq").eq(core.ev.run.trigger)
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


def soc_verilog(config: Config) -> str:
    """Verilog of the SoC around a core, with the core's name and pins."""
    pins = [("clk", 0, Pins(1)), ("rst", 0, Pins(1)), ("irq", 0, Pins(1))]
    pins += [(f"s_wb_{name}", 0, Pins(width)) for name, width in _PINS.items()]
    platform = SimPlatform("SIM", pins)
    with tempfile.TemporaryDirectory() as folder:
        soc = Soc(platform, config, folder)
        soc.finalize()
        core = (Path(folder) / "narrows_core.v").read_text(encoding="utf-8")
    made = platform.get_verilog(soc, name="narrows_soc").main_source
    return (made + core).replace("narrows_core", "narrows_ip").replace("narrows_soc", "narrows_core")


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
    found = run_program(program, levels, verilog=GivenVerilog(config, soc_verilog(Config(config))))
    golden = GoldenModel(program.graph, config).run(levels)
    different = sum(int(np.sum(tensor != golden[name])) for name, tensor in found.record.outputs.items())
    print(f"{options.images} images, {found.sim_cycles} cycles, {different} levels differ")  # noqa: T201
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
