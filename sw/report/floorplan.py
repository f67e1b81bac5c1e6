"""floorplan: where a placed core's modules lie on the chip."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..files import new_file
from ..toolchain.place_and_route import Floorplan

__all__ = ["draw_floorplan"]

_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8866", "#44bb99", "#99ddff")
_REST = "#bbbbbb"
_OPENED = "compute"


def draw_floorplan(floorplan: Floorplan, path: Path, *, title: str) -> None:
    """Draw the cells of a placed core, one colour for each of its nine largest modules, grey for the others.

    Parameters
    ----------
    floorplan : Floorplan
    path : Path
        The picture; its suffix says of which kind.
    title : str
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = [_group(module) for _, _, module in floorplan.cells]
    largest = [group for group, _ in Counter(groups).most_common(len(_COLOURS))]
    figure = Figure(figsize=(8, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for group in [None, *largest]:
        chosen = [
            place
            for place, found in zip(floorplan.cells, groups, strict=True)
            if (found == group if group is not None else found not in largest)
        ]
        if chosen:
            colour = _REST if group is None else _COLOURS[largest.index(group)]
            name = "others" if group is None else group or "between modules"
            x, y = [place[0] for place in chosen], [place[1] for place in chosen]
            axes.scatter(
                x, y, s=5, marker="s", linewidths=0, alpha=0.6, color=colour, label=f"{name} ({len(chosen):,})"
            )
    axes.set_aspect("equal")
    axes.set_title(title)
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    figure.legend(loc="outside lower center", ncols=3, markerscale=3, frameon=False)
    with new_file(path) as file:
        figure.savefig(file, format=path.suffix[1:] or "svg")


def _group(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == _OPENED else 1]).partition("$")[0]
