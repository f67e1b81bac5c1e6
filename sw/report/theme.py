"""themed: figures as pages show them, in the colours of the reader's scheme and with names that no other figure has."""

from __future__ import annotations

import re

from .canvas import ALERT, GRID, INK, MAIN, MUTED, PAPER, SOFT, TINT

__all__ = ["VARIABLES", "themed"]

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    MAIN: "--main",
    SOFT: "--pale",
    TINT: "--soft",
    ALERT: "--alert",
    PAPER: "--card",
}
"""Colours of figures, and the style variables of `base.html.j2` that stand for them in pages."""

_TAG = re.compile(r"<[^>]*>")
_COLOUR = re.compile(rf'((?:fill|stroke): ?|(?:fill|stroke)=")({"|".join(VARIABLES)})\b')
_NAME = re.compile(r'\bid="([^"]+)"')


def themed(svg: str, name: str) -> str:
    """A figure for a page: its colours as variables, each with the colour itself to fall back on, its ids behind
    ``name``.

    Only tags change; what a model calls its layers is text.
    """
    names = {found for tag in _TAG.findall(svg) for found in _NAME.findall(tag)}

    def within(tag: re.Match[str]) -> str:
        text = _COLOUR.sub(lambda found: f"{found[1]}var({VARIABLES[found[2]]}, {found[2]})", tag[0])
        for before, behind in (('id="', '"'), ('href="#', '"'), ("url(#", ")")):
            pattern = re.compile(rf"(?<![\w-]){re.escape(before)}([^\")]+){re.escape(behind)}")
            text = pattern.sub(
                lambda found, a=before, b=behind: f"{a}{name}-{found[1]}{b}" if found[1] in names else found[0], text
            )
        return text

    return _TAG.sub(within, svg)
