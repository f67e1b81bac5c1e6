"""Drawing: a picture as SVG text, the same to the byte wherever it is made."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["COLOURS", "Drawing"]

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
"""Fills that also colour-blind eyes tell apart (Paul Tol's)."""

_INK, _PAPER = "#222222", "#ffffff"


class Drawing:
    """Shapes on a white sheet, in pixels from its upper left corner.

    Parameters
    ----------
    width, height : int
    title : str
        What a reader who does not see it is told.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" font-family="sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="{_INK}"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="6" fill="{_PAPER}"/>',
        ]

    def box(self, x: float, y: float, width: float, height: float, *, fill: str = _PAPER, faint: bool = False) -> None:
        """A rectangle with an outline; ``faint``: filled lightly."""
        tint = ' fill-opacity="0.25"' if faint else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"{tint} stroke="{_INK}" '
            'stroke-width="0.8"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        size: int = 12,
        fill: str = _INK,
        bold: bool = False,
    ) -> None:
        """A line of text whose middle is at ``y``."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" dominant-baseline="central" font-size="{size}" '
            f'fill="{fill}"{weight}>{escape(text)}</text>'
        )

    def path(self, points: Iterable[tuple[float, float]], *, arrow: bool = False, dashed: bool = False) -> None:
        """A line through points, perhaps with a head at its end."""
        places = " ".join(f"{x:g},{y:g}" for x, y in points)
        extra = (' marker-end="url(#head)"' if arrow else "") + (' stroke-dasharray="3 3"' if dashed else "")
        self._parts.append(f'<polyline points="{places}" fill="none" stroke="{_INK}" stroke-width="1.2"{extra}/>')

    def svg(self) -> str:
        """The whole text."""
        return "\n".join([*self._parts, "</svg>", ""])
