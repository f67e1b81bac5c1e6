"""Row: what one case costs on one target; measure and place fill rows."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from narrows.hw.verilog import LIBRARY, convert

from .cases import Case
from .flow import DEVICES, Flow, Synthesis
from .harness import HARNESS_TOP, harness

__all__ = ["Design", "Row", "measure", "place"]

_TOP = "narrows_unit"


@dataclass(frozen=True)
class Design:
    """A case as Verilog for a target: alone, and in its harness."""

    case: Case
    target: str
    verilog: str
    harnessed: str

    @classmethod
    def of(cls, case: Case, target: str) -> Design:
        """Generate both."""
        unit = case.build(target)
        verilog = convert(unit, _TOP)
        around = harness(_TOP, operands=len(unit.operands), results=len(unit.results))
        return cls(case, target, verilog, verilog + around)

    def synthesis(self, *, harnessed: bool) -> Synthesis:
        """How to synthesise the case."""
        return Synthesis(
            verilog=self.harnessed if harnessed else self.verilog,
            target=self.target,
            top=HARNESS_TOP if harnessed else _TOP,
            library=any(f"module {name} " in self.verilog for name in LIBRARY),
            dsp=self.case.dsp,
            booth=self.case.booth,
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells of the unit alone after synthesis, and its clock.

    Parameters
    ----------
    case : Case
    target : str
    lut, carry, ff, dsp, bram : int
        ``lut`` counts what logic takes on the chip: on ECP5 two for each carry cell, whose place it takes.
    fmax_mhz_by_seed : dict
        MHz after placement and routing, by seed.
    """

    case: Case
    target: str
    lut: int
    carry: int
    ff: int
    dsp: int
    bram: int
    fmax_mhz_by_seed: dict[int, float] = field(default_factory=dict)

    @property
    def fmax_mhz(self) -> float | None:
        """Median over the seeds."""
        return statistics.median(self.fmax_mhz_by_seed.values()) if self.fmax_mhz_by_seed else None

    @property
    def share(self) -> int:
        """What costs are divided by: multiply-accumulate units, or the one channel of a rescaler."""
        return self.case.macs or 1

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON holds it: ``*_per_mac`` is null for a rescaler, ``lut`` is its cost per channel."""
        case, macs = self.case, self.case.macs
        per_mac = {
            f"{name}_per_mac": round(getattr(self, name) / macs, 3) if macs else None
            for name in ("lut", "carry", "ff", "dsp")
        }
        return {
            "target": self.target,
            "unit": case.unit,
            "weights": case.format,
            "acts": case.format,
            "rows": case.rows,
            "columns": case.columns,
            "lanes": case.lanes,
            "macs": macs,
            "acc_bits": case.acc_bits,
            "rescale_bits": case.rescale_bits,
            "tree_stage": case.tree_stage,
            "product_stage": case.product_stage,
            "dsp_lanes": case.dsp_lanes,
            "preset": case.preset,
            "lut": self.lut,
            "carry": self.carry,
            "ff": self.ff,
            "dsp": self.dsp,
            "bram": self.bram,
            **per_mac,
            "fmax_mhz": self.fmax_mhz,
            "fmax_mhz_by_seed": {str(seed): mhz for seed, mhz in self.fmax_mhz_by_seed.items()},
        }


def measure(design: Design, flow: Flow) -> Row:
    """Synthesise a unit and count its cells."""
    resources = flow.synthesise(design.synthesis(harnessed=False))
    return Row(
        case=design.case,
        target=design.target,
        lut=resources.lut_total + resources.lutram,
        carry=resources.carry,
        ff=resources.ff,
        dsp=resources.dsp,
        bram=resources.bram,
    )


def place(row: Row, design: Design, flow: Flow, seeds: Sequence[int], *, cached_only: bool = False) -> Row:
    """The row with a clock for each seed; as it is where one has none (see :meth:`Flow.place`)."""
    if row.target not in DEVICES or not DEVICES[row.target].holds(row.lut, row.ff, row.dsp):
        return row
    harnessed = design.synthesis(harnessed=True)
    clocks: dict[int, float] = {}
    for seed in seeds:
        mhz = flow.place(harnessed, seed=seed, cached_only=cached_only)
        if mhz is None:  # a median of some of the seeds would not be comparable
            return row
        clocks[seed] = round(mhz, 2)
    return dataclasses.replace(row, fmax_mhz_by_seed=clocks)
