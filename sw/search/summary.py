"""search_summary: what a search found, as JSON holds it and the page shows it."""

from __future__ import annotations

from typing import Any

from .explore import Outcome
from .measure import Measured

__all__ = ["row", "search_summary"]


def search_summary(
    model: str, outcome: Outcome, *, images: int, final_images: int, integer_unit: float
) -> dict[str, Any]:
    """Numbers of a search.

    Parameters
    ----------
    model : str
    outcome : Outcome
    images, final_images : int
        Samples that points were compared on, and those of the final figures.
    integer_unit : float
        Look-up tables of a unit of plain 8-bit integers.
    """
    return {
        "model": model,
        "images": images,
        "final_images": final_images,
        "float_accuracy": outcome.float_accuracy,
        "integer_unit": integer_unit,
        "searched": len(outcome.searched),
        "front": [row(one) for one in sorted(outcome.final, key=lambda one: one.cost.speedup)],
        "uniform": [row(one) for one in sorted(outcome.uniform, key=lambda one: one.cost.speedup)],
        "chosen": None if outcome.chosen is None else row(outcome.chosen),
        "points": [row(one) for one in outcome.searched],
    }


def row(one: Measured) -> dict[str, Any]:
    """One point with all its numbers; ``short`` names its formats in the order of the layers, ``epochs`` says how long
    it was trained."""
    point = one.point
    layers: dict[str, dict[str, str]] = {}
    for knob, name in point.formats.items():
        layers.setdefault(knob.layer, {})[knob.kind] = name
    pairs = [f"{formats.get('weights', '-')}/{formats.get('acts', '-')}" for formats in layers.values()]
    runs: list[list[Any]] = []
    for pair in pairs:
        if runs and runs[-1][0] == pair:
            runs[-1][1] += 1
        else:
            runs.append([pair, 1])
    return {
        "short": ", ".join(pair if count == 1 else f"{count} x {pair}" for pair, count in runs),
        "formats": layers,
        "acc_bits": point.acc_bits,
        "rescale_bits": point.rescale_bits,
        "base": point.base,
        "shape": "x".join(map(str, point.shape)),
        "accuracy": one.worth.accuracy,
        "error": one.worth.error,
        "cycles": one.cost.cycles,
        "array_luts": round(one.cost.array_luts),
        "luts": round(one.cost.luts),
        "speedup": one.cost.speedup,
        "epochs": one.epochs,
    }
