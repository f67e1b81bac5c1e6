"""Figures of the report, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .work import LayerWork

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["answers", "certificates", "cycles_by_layer", "luts_by_module", "weight_levels"]

_INK, _MUTED, _GRID = "#1c2733", "#64748b", "#e2e8f0"
_MAIN, _SOFT, _ALERT = "#0f766e", "#99d5ce", "#c2410c"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _GRID,
    "xtick.color": _MUTED,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.major.size": 0,
    "xtick.major.size": 0,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": _GRID,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "narrows",
}


@contextmanager
def _figure(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> Iterator[tuple[Figure, NDArray, io.StringIO]]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    text = io.StringIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, np.atleast_1d(figure.subplots(rows, columns)), text
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})


def _svg(text: io.StringIO) -> str:
    written = text.getvalue()
    return written[written.index("<svg") :]


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], *, color: str = _MAIN) -> None:
    axes.barh(range(len(names)), values, color=color, height=0.64)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.12)


def cycles_by_layer(layers: Sequence[LayerWork]) -> str:
    """Bars of the cycles of each layer, with the share in which the array waits."""
    with _figure(7.0, 0.42 * len(layers) + 1.0) as (_, (axes,), text):
        names = [layer.name for layer in layers]
        _bars(axes, names, [layer.cycles for layer in layers], color=_SOFT)
        axes.barh(range(len(names)), [layer.busy for layer in layers], color=_MAIN, height=0.64)
        for row, layer in enumerate(layers):
            axes.annotate(
                f"{layer.cycles:,}",
                (layer.cycles, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=_MUTED,
                fontsize=9,
            )
        axes.set_xlabel("clock cycles for one image (dark: the array is fed; light: start, drain, stalls)")
    return _svg(text)


def certificates(layers: Sequence[LayerWork], acc_bits: int) -> str:
    """Accumulator bits that each layer is certified for, against the width there is."""
    certified = [layer for layer in layers if layer.cert_bits]
    with _figure(7.0, 0.42 * len(certified) + 1.0) as (_, (axes,), text):
        _bars(axes, [layer.name for layer in certified], [layer.cert_bits for layer in certified])
        for row, layer in enumerate(certified):
            axes.annotate(
                str(layer.cert_bits),
                (layer.cert_bits, row),
                xytext=(-6, 0),
                textcoords="offset points",
                va="center",
                ha="right",
                color="white",
                fontsize=9,
            )
        axes.axvline(acc_bits, color=_ALERT, linewidth=1.5)
        axes.annotate(
            f"P = {acc_bits}", (acc_bits, -0.5), xytext=(5, 2), textcoords="offset points", color=_ALERT, fontsize=9
        )
        axes.set_xlabel("accumulator bits that suffice for every possible input")
    return _svg(text)


def luts_by_module(luts: Mapping[str, int], unit: str) -> str:
    """Bars of look-up tables by module, the largest first."""
    ordered = sorted(luts.items(), key=lambda item: -item[1])
    with _figure(7.0, 0.34 * len(ordered) + 1.0) as (_, (axes,), text):
        _bars(axes, [name or "(between modules)" for name, _ in ordered], [value for _, value in ordered])
        for row, (_, value) in enumerate(ordered):
            axes.annotate(
                f"{value:,}",
                (value, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=_MUTED,
                fontsize=9,
            )
        axes.set_xlabel(f"{unit}, carry included")
    return _svg(text)


def weight_levels(levels: NDArray[np.int64], title: str) -> str:
    """How often each level stands among the weights."""
    values, counts = np.unique(levels, return_counts=True)
    with _figure(7.0, 2.6) as (_, (axes,), text):
        axes.bar(range(len(values)), 100 * counts / counts.sum(), color=_MAIN, width=0.72)
        axes.set_xticks(range(len(values)), [f"{value:d}" for value in values])
        axes.grid(visible=True, axis="y")
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("% of weights")
        axes.set_xlabel(title)
    return _svg(text)


def answers(images: NDArray, labels: NDArray, predicted: NDArray, columns: int = 12) -> str:
    """Images of shape (N, H, W) with the class that the core found for each; wrong ones stand out."""
    rows = -(-len(images) // columns)
    with _figure(7.0, 0.82 * rows, rows, columns) as (_, axes, text):
        for cell in axes.flat:
            cell.set_axis_off()
        for cell, image, label, found in zip(axes.flat, images, labels, predicted, strict=False):
            cell.imshow(image, cmap="gray_r", interpolation="nearest")
            right = label == found
            cell.set_title(
                str(found) if right else f"{found} (is {label})", fontsize=9, pad=2, color=_MAIN if right else _ALERT
            )
    return _svg(text)
