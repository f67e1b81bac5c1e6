"""Drawing: a picture as SVG text, the same to the byte wherever it is made."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["BLUE", "CYAN", "GREEN", "PAPER", "RED", "YELLOW", "Drawing", "colour"]

BLUE, RED, GREEN, YELLOW, CYAN = "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee"
"""Fills that also colour-blind eyes tell apart (Paul Tol's)."""

PAPER = "#ffffff"
_COLOURS = (BLUE, RED, GREEN, YELLOW, CYAN, "#aa3377")
_INK = "#222222"
_WIDTH = 900


def colour(number: int) -> str:
    """A fill for the ``number``-th of several things, from 0; behind the sixth the first one comes again."""
    return _COLOURS[number % len(_COLOURS)]


class Drawing:
    """Shapes on a white sheet of 900 pixels' width, in pixels from its upper left corner.

    Parameters
    ----------
    height : int
    title : str
        What a reader who does not see it is told.
    heading : str
        The line above everything else; the title where none is given.
    """

    def __init__(self, height: int, title: str, heading: str = "") -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" font-family="sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="{_INK}"/></marker></defs>',
            f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="{PAPER}"/>',
        ]
        self.text(20, 22, heading or title, bold=True)

    def box(self, x: float, y: float, width: float, height: float, *, fill: str = PAPER, faint: bool = False) -> None:
        """A rectangle with an outline; ``faint``: filled lightly."""
        tint = ' fill-opacity="0.25"' if faint else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"{tint} stroke="{_INK}" '
            'stroke-width="0.8"/>'
        )

    def labelled(
        self, x: float, y: float, width: float, height: float, text: str, *, fill: str = PAPER, size: int = 12
    ) -> None:
        """A lightly filled rectangle with a line of text in its middle."""
        self.box(x, y, width, height, fill=fill, faint=True)
        self.text(x + width / 2, y + height / 2, text, anchor="middle", size=size)

    def key(self, x: float, y: float, number: int, text: str) -> None:
        """What the ``number``-th colour stands for."""
        self.box(x, y, 14, 14, fill=colour(number), faint=True)
        self.text(x + 20, y + 7, text, size=11)

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
