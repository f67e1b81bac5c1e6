"""front_picture: accuracy against speed-up of all measured points, as SVG text."""

from __future__ import annotations

from ..report.canvas import ALERT, MAIN, MUTED, PALETTE, SOFT, figure, svg
from .explore import Outcome

__all__ = ["front_picture"]


def front_picture(outcome: Outcome) -> str:
    """Points on the search's samples (light) and on the final ones, uniform formats, the choice, and float."""
    final, uniform, chosen, reference = outcome.final, outcome.uniform, outcome.chosen, outcome.float_accuracy
    with figure(7.0, 4.2) as (_, (axes,), text):
        for points, style in (
            (outcome.searched, {"marker": ".", "color": SOFT, "label": "searched (fewer samples)", "zorder": 1}),
            (uniform, {"marker": "s", "color": PALETTE[2], "label": "uniform formats", "zorder": 3}),
        ):
            axes.scatter([p.cost.speedup for p in points], [100 * p.worth.accuracy for p in points], **style)
        line = sorted(final, key=lambda one: one.cost.speedup)
        axes.plot(
            [one.cost.speedup for one in line],
            [100 * one.worth.accuracy for one in line],
            "o-",
            color=MAIN,
            label="front",
            zorder=4,
        )
        if trained := [one for one in line if one.epochs]:
            places = [one.cost.speedup for one in trained], [100 * one.worth.accuracy for one in trained]
            axes.scatter(*places, s=70, marker="^", color=MAIN, label="trained", zorder=5)
        if chosen is not None:
            axes.scatter(
                [chosen.cost.speedup],
                [100 * chosen.worth.accuracy],
                s=160,
                facecolors="none",
                edgecolors=ALERT,
                linewidths=2,
                label="chosen",
                zorder=5,
            )
        axes.axhline(100 * reference, color=MUTED, linestyle="--", linewidth=1)
        axes.annotate(
            "float", (0.995, 100 * reference), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=MUTED
        )
        shown = [100 * one.worth.accuracy for one in (*final, *uniform)]
        if shown:
            low, high = min(shown), max(*shown, 100 * reference)
            axes.set_ylim(low - 0.08 * (high - low) - 0.1, high + 0.08 * (high - low) + 0.1)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("times as fast as plain 8-bit integer multipliers in as many look-up tables")
        axes.set_ylabel("accuracy in %")
        axes.legend(loc="lower left", fontsize=9)
    return svg(text)
