"""place_labels: where labels of points go so that none lies on another, nor on a point."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

__all__ = ["Box", "overlap", "place_labels", "together"]

Box = tuple[float, float, float, float]
"""Left, bottom, right and top."""

_NEAREST, _STEP, _FARTHEST, _DIRECTIONS = 4.0, 4.0, 64.0, 16
_MARK = 3.5
"""Half a point's width."""


def together(points: Sequence[tuple[float, float]], distance: float) -> list[list[int]]:
    """Groups of points, by their numbers, that lie nearer than ``distance`` to the first one of their group."""
    groups: list[list[int]] = []
    for number, point in enumerate(points):
        near = (group for group in groups if math.dist(points[group[0]], point) < distance)
        found = next(near, None)
        if found is None:
            groups.append([number])
        else:
            found.append(number)
    return groups


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    line: Sequence[tuple[float, float]] = (),
) -> list[tuple[float, float] | None]:
    """The middle of each point's label, near it; None where there is no room for one.

    Parameters
    ----------
    points : sequence of (float, float)
    sizes : sequence of (float, float)
        Width and height of each label.
    frame : Box
        What no label leaves.
    line : sequence of (float, float)
        Corners of a line that no label lies on.
    """
    taken = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in (*points, *_dotted(line))]
    places: list[tuple[float, float] | None] = []
    for point, (width, height) in zip(points, sizes, strict=True):
        found = None
        for x, y in _around(point, width, height):
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            if _inside(box, frame) and not any(overlap(box, other) for other in taken):
                found = (x, y)
                taken.append(box)
                break
        places.append(found)
    return places


def _around(point: tuple[float, float], width: float, height: float) -> Iterator[tuple[float, float]]:
    """Middles of a label around a point, the nearest first, at each distance from the lower right on."""
    distance = _NEAREST
    while distance <= _FARTHEST:
        for number in range(_DIRECTIONS):
            angle = 2 * math.pi * number / _DIRECTIONS - math.pi / 4
            across, up = math.cos(angle), math.sin(angle)
            yield point[0] + across * (distance + width / 2), point[1] + up * (distance + height / 2)
        distance += _STEP


def _dotted(line: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Points of a line, a mark apart."""
    for begin, end in itertools.pairwise(line):
        count = max(1, math.ceil(math.dist(begin, end) / _MARK))
        for number in range(count + 1):
            part = number / count
            yield begin[0] + part * (end[0] - begin[0]), begin[1] + part * (end[1] - begin[1])


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have a part in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
