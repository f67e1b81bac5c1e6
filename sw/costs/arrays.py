"""CostTable: look-up tables of arrays and rescalers by base format, shape and widths, fitted to synthesised ones."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..errors import InputError

__all__ = ["CostTable", "cost_table"]

_INTEGERS = "int8-dot"


@dataclass(frozen=True, kw_only=True)
class CostTable:
    """Look-up tables (LUT4, two for a carry cell) on an ECP5.

    An array's are linear in its units, its accumulators, their bits and its operands (one for each lane of a row or
    column), fitted base by base; a rescaler's in P, k and their product. ``error`` is the largest of all fits on the
    synthesised points, as a share.

    Parameters
    ----------
    arrays : dict
        Factors of units, accumulators, accumulator bits and operands by base.
    rescaler : array, shape (4,)
        Factors of 1, P, k and P*k.
    integer_unit : float
        A unit of the cheapest array of plain 8-bit integers.
    error : float
    """

    arrays: dict[str, NDArray[np.float64]]
    rescaler: NDArray[np.float64]
    integer_unit: float
    error: float

    def array(self, config: AcceleratorConfig) -> float:
        """The array of multiply-accumulate units with its operand registers.

        Raises
        ------
        InputError
            If arrays of the configuration's base have not been synthesised.
        """
        if config.formats not in self.arrays:
            raise InputError(f"no array in base {config.formats} is priced: choose among {', '.join(self.arrays)}")
        return float(self.arrays[config.formats] @ _array_terms(**_shape(config), acc_bits=config.acc_bits))

    def rescalers(self, config: AcceleratorConfig) -> float:
        """All rescalers with their encoders."""
        return (
            float(self.rescaler @ _widths(config.acc_bits, config.rescale_bits)) * config.rescalers * config.drain_rows
        )


@functools.cache
def cost_table() -> CostTable:
    """The table of `arrays.json`, which ``bench/array_costs.py`` makes."""
    points = json.loads((Path(__file__).parent / "arrays.json").read_text(encoding="utf-8"))["points"]
    bases = list(dict.fromkeys(p["unit"] for p in points if "-" not in p["unit"] and p["unit"] != "rescaler"))
    arrays, errors = {}, []
    for base in bases:
        arrays[base], error = _fit([(_array_terms(**_without(p)), p["lut"]) for p in points if p["unit"] == base])
        errors.append(error)
    rescaler, error = _fit(
        [(_widths(p["acc_bits"], p["rescale_bits"]), p["lut"]) for p in points if p["unit"] == "rescaler"]
    )
    units = [p["lut"] / (p["rows"] * p["columns"] * p["lanes"]) for p in points if p["unit"].startswith(_INTEGERS)]
    return CostTable(arrays=arrays, rescaler=rescaler, integer_unit=min(units), error=max(*errors, error))


def _fit(rows: list[tuple[list[float], float]]) -> tuple[NDArray[np.float64], float]:
    """Factors of least relative error, none below zero is forced; and the largest relative error."""
    terms, luts = (
        np.array([row for row, _ in rows], dtype=np.float64),
        np.array([lut for _, lut in rows], dtype=np.float64),
    )
    factors = np.linalg.lstsq(terms / luts[:, np.newaxis], np.ones(len(luts)), rcond=None)[0]
    return factors.astype(np.float64), float(np.abs(terms @ factors / luts - 1).max())


def _array_terms(*, rows: int, columns: int, lanes: int, acc_bits: int) -> list[float]:
    sums = rows * columns
    return [sums * lanes, sums, sums * acc_bits, (rows + columns) * lanes]


def _widths(acc_bits: int, rescale_bits: int) -> list[float]:
    return [1, acc_bits, rescale_bits, acc_bits * rescale_bits]


def _shape(config: AcceleratorConfig) -> dict[str, int]:
    return {"rows": config.rows, "columns": config.columns, "lanes": config.lanes}


def _without(point: dict[str, Any]) -> dict[str, int]:
    return {name: point[name] for name in ("rows", "columns", "lanes", "acc_bits")}
