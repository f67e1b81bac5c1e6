"""late_loads: layers whose weights come too late, so that it pays to load and compute them in parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

__all__ = ["PARTS", "late_layers"]

PARTS = 8
"""Parts of such a layer."""

_COST = 100  # cycles that a part more may take: an instruction, a pipeline filled and emptied


def late_layers(loads: Sequence[int], computes: Sequence[int]) -> list[int]:
    """Layers that the whole run waits for, most of it while their weights come in.

    No run ends before the weights of a layer are there, and what is to be computed from there on is. A layer in parts
    is computed while it comes in, but for its last part. So layers that set this bound are put in parts, as long as
    that lowers it.

    Parameters
    ----------
    loads, computes : sequence of int
        By layer, in order: cycles in which its weights come in, and in which it is computed.

    Returns
    -------
    list of int
        Indices.
    """
    there = list(accumulate(loads))
    behind = list(accumulate(reversed(computes)))[::-1]
    gains = [compute - compute // PARTS - PARTS * _COST for compute in computes]
    late: list[int] = []
    while True:
        bounds = [
            first + rest - (gains[index] if index in late else 0)
            for index, (first, rest) in enumerate(zip(there, behind, strict=True))
        ]
        worst = max(range(len(bounds)), key=bounds.__getitem__, default=None)
        if worst is None or worst in late or gains[worst] <= 0 or loads[worst] <= computes[worst]:
            return sorted(late)
        late.append(worst)
