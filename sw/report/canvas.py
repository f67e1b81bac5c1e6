"""What all figures share: colours, and matplotlib figures that end as SVG text."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..names import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ALERT", "GRID", "INK", "MAIN", "MUTED", "PALETTE", "SOFT", "bars", "figure", "label", "svg"]

INK, MUTED, GRID = "#1c2733", "#64748b", "#e2e8f0"
MAIN, SOFT, ALERT = "#0f766e", "#99d5ce", "#c2410c"
PALETTE = ("#0f766e", "#2563eb", "#b45309", "#7c3aed", "#be185d", "#4d7c0f", "#0891b2", "#57534e")
"""Colours of things that stand side by side."""

_ROOM = 48
"""Columns of a label."""

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.major.size": 0,
    "xtick.major.size": 0,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": GRID,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "narrows",
    "text.parse_math": False,  # names with dollar signs are names
}


@contextmanager
def figure(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> Iterator[tuple[Figure, NDArray, io.StringIO]]:
    """A figure of so many inches, its axes, and the text that holds its SVG once the context is left."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    text = io.StringIO()
    with rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn, np.atleast_1d(drawn.subplots(rows, columns)), text
        with warnings.catch_warnings():  # letters that the measuring font lacks are the reader's font's
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            drawn.savefig(text, format="svg", transparent=True, metadata={"Date": None})


def svg(text: io.StringIO) -> str:
    """The element alone, without the XML declaration."""
    written = text.getvalue()
    return written[written.index("<svg") :]


def label(name: str) -> str:
    """A name as a figure has room for it."""
    shown = printable(name)
    widths = np.cumsum([2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in shown])
    return shown if widths.max(initial=0) <= _ROOM else f"{shown[: int((widths < _ROOM).sum())]}\u2026"


def bars(axes: Axes, names: Sequence[str], values: Sequence[float], *, color: str = MAIN) -> None:
    """Horizontal bars from the top down."""
    axes.barh(range(len(names)), values, color=color, height=0.64)
    axes.set_yticks(range(len(names)), list(map(label, names)))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.12)
