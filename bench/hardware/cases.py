"""Case: one unit in one shape and width; CASES: what the benchmark measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.lib import wiring
from narrows.hw.spec.config import PRESETS, AcceleratorConfig, bases_of

from .units import ArrayUnit, CoreUnit, RescalerChannel
from .yardsticks import IntegerArray

__all__ = ["BASES", "CASES", "LARGE_CASES", "NARROW", "PAIRS", "UNITS", "Case"]

BASES = ("dybit4", "int4", "e2m1", "dybit3", "int3", "dybit2")
"""Base formats that are measured."""

NARROW = (
    *("dybit2xdybit4", "dybit3xdybit4", "int3xdybit4", "dybit2xint4", "dybit3xint4", "int3xint4"),
    *("dybit2xe2m1", "dybit3xe2m1", "int3xe2m1"),
)
"""Pairs of weights and activations with narrower weights."""

_BYTES = ("dybit4xint8", "int4xint8", "int5xint8")
PAIRS = (*NARROW, *_BYTES)
"""Bases of weights and of activations that are measured, where they differ."""

UNITS = {
    **{
        base: f"this project's array in base {base}: code registers, predecoding, tree, accumulators, flags"
        for base in BASES
    },
    **{
        f"{weights}x{acts}": f"the same with weights in {weights} and activations in {acts}"
        for weights, _, acts in (pair.partition("x") for pair in PAIRS)
    },
    "int4-plain": "4-bit integers, one x*w an accumulator, Amaranth's operators as they come",
    "int4-plain-reg": "the same with a register after each product",
    "int4-plain-booth": "the same as int4-plain, multipliers by Yosys' booth pass",
    "int4-dot": "4-bit integers, products x*w summed over the lanes in a balanced tree",
    "int4-dot-reg": "the same with a register after each product",
    "int4-dot-booth": "the same as int4-dot, multipliers by Yosys' booth pass",
    "int4-dot-dsp": "4-bit integers, two lanes' products and their sum in one DSP block, summed over the lanes",
    "int8-plain": "8-bit integers, one x*w an accumulator",
    "int8-plain-reg": "the same with a register after each product",
    "int8-plain-booth": "the same as int8-plain, multipliers by Yosys' booth pass",
    "int8-plain-dsp": "the same as int8-plain, multipliers in DSP blocks where Yosys infers them",
    "int8-dot": "8-bit integers, products x*w summed over the lanes in a balanced tree",
    "int8-dot-reg": "the same with a register after each product",
    "int8-dot-booth": "the same as int8-dot, multipliers by Yosys' booth pass",
    "int8-dot-dsp": "the same as int8-dot, multipliers in DSP blocks where Yosys infers them",
    "rescaler": "one channel of the drain: rescaler and encoder",
    "core": "a whole core of a preset",
}
"""Units by name, with what they are."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One unit in one shape and width.

    Parameters
    ----------
    unit : str
        One of `UNITS`.
    rows, columns, lanes : int
        Shape of the array; 0 for a rescaler.
    acc_bits, rescale_bits : int
        Widths; ``rescale_bits`` is 0 where there is no rescaler.
    tree_stage : int
        Levels of the adder tree between two registers; 0 where there is no tree.
    product_stage, dsp_lanes : int
        Of this project's arrays: whether products are registered, and how many of a dot product's lanes multiply in DSP
        blocks.
    preset : str
        Name of the core's configuration.
    """

    unit: str
    rows: int = 0
    columns: int = 0
    lanes: int = 0
    acc_bits: int = 16
    rescale_bits: int = 0
    tree_stage: int = 0
    product_stage: int = 0
    dsp_lanes: int = 0
    preset: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, not {self.unit!r}")

    @property
    def macs(self) -> int:
        """Multiply-accumulate units; 0 for a rescaler."""
        return self.rows * self.columns * self.lanes

    @property
    def format(self) -> str:
        """Number format of weights and activations; empty for a rescaler, which has neither."""
        if self.unit == "rescaler":
            return ""
        return PRESETS[self.preset].formats if self.unit == "core" else self.unit.partition("-")[0]

    @property
    def dsp(self) -> bool:
        """Whether Yosys may infer DSP blocks."""
        return self.unit.endswith("-dsp")

    @property
    def booth(self) -> bool:
        """Whether multipliers go through Yosys' booth pass."""
        return self.unit.endswith("-booth")

    @property
    def title(self) -> str:
        """The case in a few words."""
        if self.unit == "core":
            return f"core {self.preset}"
        if self.unit == "rescaler":
            return f"rescaler k={self.rescale_bits} P={self.acc_bits}"
        return " ".join(filter(None, (self.unit, self.shape, f"P={self.acc_bits}", self.pipeline)))

    @property
    def pipeline(self) -> str:
        """Where the tree has registers (behind products, after every so many levels), and lanes in DSP blocks."""
        parts = (
            "products" if self.product_stage else "",
            f"stage {self.tree_stage}" if self.tree_stage else "",
            f"{self.dsp_lanes} DSP lanes" if self.dsp_lanes else "",
        )
        return ", ".join(filter(None, parts))

    @property
    def shape(self) -> str:
        """Rows x columns x lanes; empty for a rescaler."""
        return f"{self.rows}x{self.columns}x{self.lanes}" if self.macs else ""

    def build(self, fabric: str) -> wiring.Component:
        """The unit as hardware in the form for an FPGA family, with ports ``operands`` and ``results``."""
        if self.unit == "core":
            return CoreUnit(dataclasses.replace(PRESETS[self.preset], fabric=fabric))
        if self.unit == "rescaler":
            return RescalerChannel(AcceleratorConfig(acc_bits=self.acc_bits, rescale_bits=self.rescale_bits))
        if self.unit in BASES or self.unit in PAIRS:
            return ArrayUnit(
                AcceleratorConfig(
                    **bases_of(self.unit),
                    rows=self.rows,
                    columns=self.columns,
                    lanes=self.lanes,
                    rescalers=1,
                    acc_bits=self.acc_bits,
                    tree_stage=self.tree_stage,
                    product_stage=self.product_stage,
                    dsp_lanes=self.dsp_lanes,
                    fabric=fabric,
                )
            )
        return IntegerArray(
            rows=self.rows,
            columns=self.columns,
            lanes=self.lanes,
            bits=int(self.format.removeprefix("int")),
            acc_bits=self.acc_bits,
            tree_stage=self.tree_stage or 1,
            product_register=self.unit.endswith("-reg"),
            paired=self.unit == "int4-dot-dsp",
        )


def _arrays(unit: str, shape: tuple[int, int, int], *acc_bits: int, **registers: int) -> Iterator[Case]:
    rows, columns, lanes = shape
    for width in acc_bits:
        yield Case(unit=unit, rows=rows, columns=columns, lanes=lanes, acc_bits=width, **registers)


def _core(preset: str) -> Case:
    config = PRESETS[preset]
    return Case(
        unit="core",
        preset=preset,
        rows=config.rows,
        columns=config.columns,
        lanes=config.lanes,
        acc_bits=config.acc_bits,
        rescale_bits=config.rescale_bits,
        tree_stage=config.tree_stage,
        product_stage=config.product_stage,
        dsp_lanes=config.dsp_lanes,
    )


CASES: tuple[Case, ...] = (
    *_arrays("dybit4", (4, 4, 16), 16, tree_stage=2),
    *_arrays("dybit4", (4, 4, 16), 16, tree_stage=1),
    *_arrays("dybit4", (4, 4, 16), 16, tree_stage=2, product_stage=1),
    *_arrays("dybit4", (4, 4, 16), 16, tree_stage=1, product_stage=1),
    *_arrays("dybit4", (4, 4, 16), 16, tree_stage=2, product_stage=1, dsp_lanes=16),
    *_arrays("dybit4", (2, 2, 16), 32, 20, 16, 12, tree_stage=2),
    *_arrays("dybit4", (2, 2, 16), 16, tree_stage=1),
    *_arrays("dybit4", (2, 2, 16), 16, tree_stage=1, product_stage=1),
    *_arrays("dybit4", (2, 2, 32), 16, tree_stage=2),
    *_arrays("int4-dot", (2, 2, 8), 16, tree_stage=2),
    *_arrays("int4-dot", (2, 2, 16), 16, tree_stage=2),
    *_arrays("int4-dot-reg", (2, 2, 16), 16, tree_stage=2),
    *_arrays("int4-dot-booth", (2, 2, 16), 16, tree_stage=2),
    *(case for base in BASES[1:] for case in _arrays(base, (2, 2, 16), 16, tree_stage=2)),
    *_arrays("dybit2", (2, 2, 32), 16, tree_stage=2),
    *(case for pair in NARROW for case in _arrays(pair, (4, 4, 16), 16, tree_stage=2)),
    *(case for pair in _BYTES for case in _arrays(pair, (4, 4, 16), 20, tree_stage=2, dsp_lanes=16)),
    *_arrays("int4", (2, 2, 16), 16, tree_stage=2, dsp_lanes=16),
    *_arrays("int4-dot-dsp", (2, 2, 16), 16, tree_stage=2),
    *_arrays("int8-dot-dsp", (2, 2, 16), 20, tree_stage=2),
    *_arrays("int8-dot", (2, 2, 8), 20, tree_stage=2),
    *_arrays("int8-dot-reg", (2, 2, 16), 20, tree_stage=2),
    *_arrays("int8-dot-booth", (2, 2, 16), 20, tree_stage=2),
    *_arrays("int4-plain", (4, 4, 1), 32, 20, 16, 12),
    *_arrays("int4-plain-reg", (4, 4, 1), 32, 16),
    *_arrays("int4-plain-booth", (4, 4, 1), 32, 16),
    *_arrays("int8-plain", (4, 4, 1), 32, 20),
    *_arrays("int8-plain-reg", (4, 4, 1), 32, 20),
    *_arrays("int8-plain-booth", (4, 4, 1), 32, 20),
    *_arrays("int8-plain-dsp", (4, 4, 1), 32),
    *(Case(unit="rescaler", acc_bits=16, rescale_bits=bits) for bits in (32, 16, 8, 4)),
    Case(unit="rescaler", acc_bits=12, rescale_bits=4),
    *_arrays("int8-dot", (2, 2, 16), 20, tree_stage=2),
)
"""The table: 256 multiply-accumulate units in the shape of a core, narrower accumulators, and the yardsticks."""

LARGE_CASES: tuple[Case, ...] = (
    *_arrays("dybit4", (8, 4, 16), 16, tree_stage=2),
    *_arrays("dybit4", (4, 16, 16), 16, tree_stage=2),
    *map(_core, ("tiny", "demo", "medium")),
)
"""What takes minutes a synthesis."""
