"""What all figures share: colours, and matplotlib figures that end as SVG text."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..names import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ALERT",
    "GRID",
    "INK",
    "MAIN",
    "MUTED",
    "PALETTE",
    "PAPER",
    "SOFT",
    "TINT",
    "bars",
    "figure",
    "labels",
    "svg",
    "text_width",
]

INK, MUTED, GRID, PAPER = "#1c2733", "#5b6b80", "#e2e8f0", "#ffffff"
MAIN, SOFT, TINT, ALERT = "#0f766e", "#99d5ce", "#f0fdfa", "#c2410c"
"""What figures and pages are drawn in, on ``PAPER``; `theme` says what stands for each where it is dark."""

PALETTE = ("#0f766e", "#2563eb", "#b45309", "#7c3aed", "#be185d", "#4d7c0f", "#0891b2", "#57534e")
"""Colours of things that stand side by side."""

_ROOM = 48
"""Columns of a label."""

_POINTS = 72
"""Dots an inch of a figure, as SVG has them: what is measured in dots is in points."""

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
        drawn = Figure(figsize=(width, height), layout="constrained", dpi=_POINTS)
        yield drawn, np.atleast_1d(drawn.subplots(rows, columns)), text
        with warnings.catch_warnings():  # letters that the measuring font lacks are the reader's font's
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            drawn.savefig(text, format="svg", transparent=True, metadata={"Date": None})


def svg(text: io.StringIO) -> str:
    """The element alone, without the XML declaration."""
    written = text.getvalue()
    return written[written.index("<svg") :]


def labels(names: Sequence[str], room: int = _ROOM) -> list[str]:
    """Names as a figure has room for them, of so many columns; names that differ look different.

    One that is too long loses its end, or, where that is what tells it from another, its beginning.
    """
    for cut in (_begun, _ended):
        shown = {name: _cut(printable(name), room, cut) for name in names}
        if len(set(shown.values())) == len(shown):
            return [shown[name] for name in names]
    return [f"{number}. {_cut(printable(name), room - 6, _ended)}" for number, name in enumerate(names, start=1)]


def text_width(text: str, size: float) -> float:
    """Points that a text in letters of so many points is wide, about."""
    return _columns(text) * 0.62 * size


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _cut(text: str, room: int, cut: Callable[[str, int], str]) -> str:
    return text if _columns(text) <= room else cut(text, room)


def _begun(text: str, room: int) -> str:
    widths = np.cumsum([_columns(character) for character in text])
    return f"{text[: int((widths < room).sum())]}\u2026"


def _ended(text: str, room: int) -> str:
    return _begun(text[::-1], room)[::-1]


def bars(axes: Axes, names: Sequence[str], values: Sequence[float], *, color: str = MAIN) -> None:
    """Horizontal bars from the top down."""
    axes.barh(range(len(names)), values, color=color, height=0.64)
    axes.set_yticks(range(len(names)), labels(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.12)
