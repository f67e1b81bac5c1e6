"""network_picture: the layers of a quantised graph and what flows between them, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ..names import printable
from ..quantised import QuantisedGraph
from .canvas import GRID, INK, MAIN, MUTED, PAPER, SOFT, TINT, labels

__all__ = ["network_picture"]

_BOX, _HEIGHT, _GAP, _LANE, _TOP = 460, 40, 22, 22, 4
_NAME_ROOM, _TEXT_ROOM = 26, 64  # columns
_FONT = 'font-family="system-ui, sans-serif"'


def network_picture(graph: QuantisedGraph, notes: Mapping[str, str]) -> str:
    """Layers from the input and the states down, in the order they run; tensors that skip layers pass on the right.

    Parameters
    ----------
    graph : QuantisedGraph
    notes : mapping of str
        By layer, what its box says on the right.

    Returns
    -------
    str
        Layer number n, from 1, is the element ``layer-n`` and a link to ``#row-n``, its row of a table.
    """
    above = len(graph.starts) - 1
    rows = {name: row for row, name in enumerate((*graph.starts, *(layer.output for layer in graph.layers)))}
    outputs = graph.output_tensors
    boxes, lines, lanes = [], [], _Lanes()
    names = labels([layer.name for layer in graph.layers], _NAME_ROOM)
    for row, (name, source) in enumerate((name, graph.tensors[name]) for name in graph.starts):
        called, right = ("state", f"{name}, kept from run to run") if row else ("input", "")
        boxes.append(_box(row, called, f"{_shape(source.shape)} {source.format}", *labels([right], 40), plain=True))
    for number, layer in enumerate(graph.layers, start=1):
        tensor = graph.tensors[layer.output]
        right = notes.get(layer.name, "") + (" | output" if layer.output in outputs else "")
        text = f"{layer.what} to {_shape(tensor.shape)} {tensor.format}"
        row = above + number
        box = _box(row, names[number - 1], text, right.removeprefix(" | "), plain=False)
        boxes.append(
            f'<a id="layer-{number}" href="#row-{number}"><title>{escape(printable(layer.name))}</title>{box}</a>'
        )
        for name in layer.sources:
            first = rows[name]
            lines.append(_edge(first, row, 0 if row == first + 1 else lanes.free(first, row)))
    width = _BOX + 8 + _LANE * (lanes.count + 1)
    height = _TOP + (above + 1 + len(graph.layers)) * (_HEIGHT + _GAP)
    arrow = (
        f'<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{MUTED}"/></marker></defs>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f"{arrow}{''.join(lines)}{''.join(boxes)}</svg>"
    )


class _Lanes:
    """Lanes on the right for tensors that skip layers: as few as keep them apart."""

    def __init__(self) -> None:
        self._ends: list[int] = []

    @property
    def count(self) -> int:
        return len(self._ends)

    def free(self, first: int, last: int) -> int:
        for lane, end in enumerate(self._ends):
            if end <= first:
                self._ends[lane] = last
                return lane + 1
        self._ends.append(last)
        return len(self._ends)


def _shape(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))


def _box(row: int, name: str, text: str, right: str, *, plain: bool) -> str:
    top = _TOP + row * (_HEIGHT + _GAP)
    fill, line = (PAPER, GRID) if plain else (TINT, SOFT)
    (shown,) = labels([text], _TEXT_ROOM)
    return (
        f'<rect x="1" y="{top}" width="{_BOX}" height="{_HEIGHT}" rx="7" fill="{fill}" stroke="{line}"/>'
        f'<text x="12" y="{top + 17}" {_FONT} font-size="13" font-weight="600" fill="{INK}">{escape(name)}</text>'
        f'<text x="12" y="{top + 32}" {_FONT} font-size="11" fill="{MUTED}">{escape(shown)}</text>'
        f'<text x="{_BOX - 10}" y="{top + 17}" {_FONT} font-size="11" text-anchor="end" fill="{MAIN}">'
        f"{escape(right)}</text>"
    )


def _edge(first: int, last: int, lane: int) -> str:
    begin, end = (_TOP + row * (_HEIGHT + _GAP) for row in (first, last))
    if not lane:
        path = f"M{_BOX / 2:g} {begin + _HEIGHT}V{end - 1}"
    else:
        x = _BOX + 6 + lane * _LANE
        path = f"M{_BOX + 1} {begin + _HEIGHT - 8}H{x - 6}Q{x} {begin + _HEIGHT - 8} {x} {begin + _HEIGHT - 2}"
        path += f"V{end + 16}Q{x} {end + 24} {x - 6} {end + 24}H{_BOX + 3}"
    return f'<path d="{path}" fill="none" stroke="{MUTED}" stroke-width="1.3" marker-end="url(#arrow)"/>'
