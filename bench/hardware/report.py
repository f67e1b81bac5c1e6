"""Rows as tables: on the terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from narrows.sw.toolchain.synthesis import TARGETS
from rich.table import Table

from .cases import Case
from .flow import DEVICES
from .measure import Row

__all__ = ["by_case", "markdown", "narrowing", "tables"]

_MARKS = {"ecp5": "LUT4, two for a CCU2C", "ice40": "LUT4", "xilinx": "LUT6"}


def by_case(rows: Sequence[Row]) -> dict[Case, dict[str, Row]]:
    """Rows of each case by target, in the order measured."""
    found: dict[Case, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.case, {})[row.target] = row
    return found


def tables(rows: Sequence[Row]) -> Iterator[Table]:
    """One table a target, then what narrower widths save."""
    for target in dict.fromkeys(row.target for row in rows):
        device = f"; clock of the {DEVICES[target].title}" if target in DEVICES else ""
        table = Table(title=f"{TARGETS[target].title}: cells per multiply-accumulate unit or rescaler channel{device}")
        for heading in ("unit", "shape", "P", "k", "registers"):
            table.add_column(heading, justify="right" if heading in ("P", "k") else "left")
        for heading in (_MARKS[target], "carry", "FF", "DSP", "MHz", "seeds"):
            table.add_column(heading, justify="right")
        for row in rows:
            if row.target == target:
                case = row.case
                table.add_row(
                    case.preset or case.unit,
                    case.shape,
                    str(case.acc_bits),
                    _number(case.rescale_bits),
                    case.pipeline,
                    f"{row.lut / row.share:.1f}",
                    f"{row.carry / row.share:.1f}",
                    f"{row.ff / row.share:.1f}",
                    f"{row.dsp / row.share:.2f}" if row.dsp else "",
                    f"{row.fmax_mhz:.0f}" if row.fmax_mhz else "",
                    " ".join(f"{mhz:.0f}" for mhz in row.fmax_mhz_by_seed.values()),
                )
        yield table
    if savings := list(narrowing(rows)):
        table = Table(title="What narrower accumulators (per unit) and rescalers (per channel) save")
        for heading in ("target", "unit", "width", "from", "to", "LUT from", "LUT to", "saved"):
            table.add_column(heading, justify="left" if heading in ("target", "unit") else "right")
        for target, unit, name, wide, narrow, before, after in savings:
            table.add_row(
                target, unit, name, str(wide), str(narrow), f"{before:.1f}", f"{after:.1f}", f"{before - after:.1f}"
            )
        yield table


def narrowing(rows: Sequence[Row]) -> Iterator[tuple[str, str, str, int, int, float, float]]:
    """Target, unit, width (``P`` or ``k``), widest and narrower value, LUT at both: units that differ in that alone."""
    for name, other, label in (("acc_bits", "rescale_bits", "P"), ("rescale_bits", "acc_bits", "k")):
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in rows:
            case = row.case
            same = (row.target, case.unit, case.shape, case.pipeline, case.preset, getattr(case, other))
            groups.setdefault(same, []).append(row)
        for group in groups.values():
            widths: Mapping[int, Row] = {getattr(row.case, name): row for row in group}
            widest, *narrower = sorted(widths, reverse=True)
            wide = widths[widest]
            unit = f"{wide.case.unit} {wide.case.shape}".strip()
            for width in narrower:
                narrow = widths[width]
                yield wide.target, unit, label, widest, width, wide.lut / wide.share, narrow.lut / narrow.share


def markdown(rows: Sequence[Row]) -> str:
    """One table of all targets: LUT and FF per unit, and clocks."""
    targets = list(dict.fromkeys(row.target for row in rows))
    placed = [target for target in targets if target in DEVICES]
    head = ["unit", "shape", "P", "k", *(f"{TARGETS[target].title}: LUT" for target in targets), "FF", "DSP"]
    head += [f"{DEVICES[target].title}: MHz" for target in placed]
    lines = [" | ".join(head), " | ".join(["---", "---", *["---:"] * (len(head) - 2)])]
    for case, found in by_case(rows).items():
        cells = [f"{case.preset} core" if case.preset else case.unit]
        cells += [", ".join(filter(None, (case.shape, case.pipeline)))]
        cells += [str(case.acc_bits), _number(case.rescale_bits)]
        cells += [f"{found[target].lut / found[target].share:.1f}" if target in found else "" for target in targets]
        first = next(iter(found.values()))
        cells += [f"{first.ff / first.share:.1f}"]
        cells += [
            "/".join(f"{row.dsp / row.share:.3g}" for row in found.values())
            if any(row.dsp for row in found.values())
            else ""
        ]
        for target in placed:
            mhz = found[target].fmax_mhz if target in found else None
            cells.append(f"{mhz:.0f}" if mhz else "")
        lines.append(" | ".join(cells))
    return "".join(f"| {line} |\n" for line in lines)


def _number(value: int) -> str:
    return str(value) if value else ""
