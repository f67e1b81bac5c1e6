"""Writes the Verilog of an SDRAM controller by LiteDRAM's generator: run by `litedram.py` in a process of its own,
since LiteX keeps state, and says what it does on the root logger.

    python -m narrows.boards.litedram_run REQUEST.json FOLDER

leaves `NAME.v` and `facts.json` in the folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["NAME", "main"]

NAME = "litedram_core"
"""Of the module that it writes."""


def main(request_file: str, folder_name: str) -> None:
    """Generate what a request asks for."""
    from litedram import gen, phy
    from litedram.modules import SDRModule, _SpeedgradeTimings, _TechnologyTimings
    from litex.build.lattice import LatticePlatform
    from litex.soc.integration.builder import Builder

    request: dict[str, Any] = json.loads(Path(request_file).read_text(encoding="utf-8"))
    folder, ns = Path(folder_name), request["ns"]

    class Module(SDRModule):
        """The chip: LiteDRAM's own list leaves some of its times out (tRAS, tRC, tRRD), which a controller then
        breaks."""

        nbanks, nrows, ncols = 4, request["rows"], request["columns"]
        technology_timings = _TechnologyTimings(
            tREFI=ns["refresh"], tWTR=(2, None), tCCD=(1, None), tRRD=(None, ns["rrd"])
        )
        speedgrade_timings = {  # noqa: RUF012 - as its base has it
            "default": _SpeedgradeTimings(
                tRP=ns["rp"], tRCD=ns["rcd"], tWR=ns["wr"], tRFC=(None, ns["rfc"]), tFAW=None, tRAS=ns["ras"]
            )
        }

    class Phy(phy.GENSDRPHY):
        """Takes what is read a cycle later: pads, traces and the chip's access time together are longer than a
        period."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.settings.read_latency += 1

    phy.GENSDRPHY = Phy  # the generator knows the PHY by identity
    platform = LatticePlatform(request["device"], io=[], toolchain="trellis")
    core = gen.LiteDRAMCore(
        platform,
        {
            "cpu": None,
            "device": request["device"],
            "memtype": "SDR",
            "sdram_module": Module,
            "sdram_module_nb": request["width"] // 8,
            "sdram_rank_nb": 1,
            "sdram_phy": Phy,
            "input_clk_freq": request["clock_hz"],
            "sys_clk_freq": request["clock_hz"],
            "user_ports": {"0": {"type": "axi", "id_width": 1, "data_width": request["width"]}},
        },
    )
    builder = Builder(
        core,
        output_dir=str(folder),
        compile_software=False,
        compile_gateware=False,
        csr_json=str(folder / "csr.json"),
    )
    builder.build(build_name=NAME, regular_comb=False)
    registers = json.loads((folder / "csr.json").read_text(encoding="utf-8"))["csr_registers"]
    facts = {
        "registers": {name: register["addr"] // 4 for name, register in registers.items()},
        "cas_latency": core.sdram.controller.settings.phy.cl,
    }
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    (folder / f"{NAME}.v").write_bytes((folder / "gateware" / f"{NAME}.v").read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
