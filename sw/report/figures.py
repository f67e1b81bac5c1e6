"""Figures of the demo and the report, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..costs.work import LayerWork
from .canvas import ALERT, MAIN, MUTED, PAPER, SOFT, bars, figure, labels, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "answers",
    "certificates",
    "cycles_beside",
    "cycles_by_layer",
    "errors_by_layer",
    "luts_by_module",
    "weight_levels",
]


def cycles_by_layer(layers: Sequence[LayerWork]) -> str:
    """Bars of the cycles of each layer, with the share in which the array waits, paler."""
    with figure(7.0, 0.42 * len(layers) + 1.0) as (_, (axes,), text):
        names = [layer.name for layer in layers]
        bars(axes, names, [layer.cycles for layer in layers], color=SOFT)
        axes.barh(range(len(names)), [layer.busy for layer in layers], color=MAIN, height=0.64)
        for row, layer in enumerate(layers):
            axes.annotate(
                f"{layer.cycles:,}",
                (layer.cycles, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=MUTED,
                fontsize=9,
            )
        axes.set_xlabel("clock cycles for one image (full: the array is fed; pale: start, drain, stalls)")
    return svg(text)


def cycles_beside(names: Sequence[str], a: Sequence[int], b: Sequence[int]) -> str:
    """Bars of the cycles of each layer in two programs; 0 where one does not have it."""
    with figure(7.0, 0.5 * len(names) + 1.3) as (_, (axes,), text):
        _twins(axes, names, (("A", a, MAIN), ("B", b, SOFT)))
        axes.set_xlabel("clock cycles for one sample")
    return svg(text)


def errors_by_layer(names: Sequence[str], weights: Sequence[float] | None, rounding: Sequence[float]) -> str:
    """Bars of what each layer adds to the outputs' noise, in percent of all of it: by its weights, if that is known,
    and by rounding what it writes."""
    parts = [("rounding what it writes", [100 * share for share in rounding], SOFT)]
    if weights is not None:
        parts.insert(0, ("weights", [100 * share for share in weights], MAIN))
    with figure(7.0, 0.5 * len(names) + 1.3) as (_, (axes,), text):
        _twins(axes, names, parts)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_xlabel("% of the outputs' noise")
    return svg(text)


def _twins(axes: Axes, names: Sequence[str], parts: Sequence[tuple[str, Sequence[float], str]]) -> None:
    """Up to two bars for each name, with a legend above."""
    height = 0.72 / len(parts)
    for number, (what, values, color) in enumerate(parts):
        middles = [row + (number - (len(parts) - 1) / 2) * height for row in range(len(names))]
        axes.barh(middles, values, color=color, height=height, label=what)
    axes.set_yticks(range(len(names)), labels(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.06)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9, borderaxespad=0)


def certificates(layers: Sequence[LayerWork], acc_bits: int) -> str:
    """Accumulator bits that each layer is certified for, against the width there is."""
    certified = [layer for layer in layers if layer.cert_bits]
    with figure(7.0, 0.42 * len(certified) + 1.0) as (_, (axes,), text):
        bars(axes, [layer.name for layer in certified], [layer.cert_bits for layer in certified])
        for row, layer in enumerate(certified):
            axes.annotate(
                str(layer.cert_bits),
                (layer.cert_bits, row),
                xytext=(-6, 0),
                textcoords="offset points",
                va="center",
                ha="right",
                color=PAPER,
                fontsize=9,
            )
        axes.axvline(acc_bits, color=ALERT, linewidth=1.5)
        axes.annotate(
            f"P = {acc_bits}", (acc_bits, -0.5), xytext=(5, 2), textcoords="offset points", color=ALERT, fontsize=9
        )
        axes.set_xlabel("accumulator bits that suffice for every possible input")
    return svg(text)


def luts_by_module(luts: Mapping[str, int], unit: str) -> str:
    """Bars of look-up tables by module, the largest first."""
    ordered = sorted(luts.items(), key=lambda item: -item[1])
    with figure(7.0, 0.34 * len(ordered) + 1.0) as (_, (axes,), text):
        bars(axes, [name or "(between modules)" for name, _ in ordered], [value for _, value in ordered])
        for row, (_, value) in enumerate(ordered):
            axes.annotate(
                f"{value:,}",
                (value, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=MUTED,
                fontsize=9,
            )
        axes.set_xlabel(f"{unit}, carry included")
    return svg(text)


def weight_levels(levels: NDArray[np.int64], title: str) -> str:
    """How often each level stands among the weights."""
    values, counts = np.unique(levels, return_counts=True)
    with figure(7.0, 2.6) as (_, (axes,), text):
        axes.bar(range(len(values)), 100 * counts / counts.sum(), color=MAIN, width=0.72)
        axes.set_xticks(range(len(values)), [f"{value:d}" for value in values])
        axes.grid(visible=True, axis="y")
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("% of weights")
        axes.set_xlabel(title)
    return svg(text)


def answers(images: NDArray, labels: NDArray, predicted: NDArray, columns: int = 12) -> str:
    """Images of shape (N, H, W) with the class that the core found for each; wrong ones stand out."""
    rows = -(-len(images) // columns)
    with figure(7.0, 0.82 * rows, rows, columns) as (_, axes, text):
        for cell in axes.flat:
            cell.set_axis_off()
        for cell, image, label, found in zip(axes.flat, images, labels, predicted, strict=False):
            cell.imshow(image, cmap="gray_r", interpolation="nearest")
            right = label == found
            cell.set_title(
                str(found) if right else f"{found} (is {label})", fontsize=9, pad=2, color=MAIN if right else ALERT
            )
    return svg(text)
