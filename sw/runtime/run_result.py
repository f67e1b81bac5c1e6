"""RunResult: what one sample gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RunResult"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunResult:
    """What one sample gave.

    Parameters
    ----------
    outputs : dict of int64 arrays, shape (C, H, W)
        Levels of each tensor that an output shows; `restore_outputs` makes the model's outputs of them.
    checksums : tuple of int
        One for each instruction before END, in program order: entry i belongs to ``program.layers[i]``; 0 for a LOAD or
        STORE.
    cycles, busy, stall_drain, stall_walk, stall_load, stall_store, stall_token : int
        Counters of the run (`registers.Register`).
    """

    outputs: dict[str, NDArray[np.int64]]
    checksums: tuple[int, ...]
    cycles: int
    busy: int
    stall_drain: int
    stall_walk: int
    stall_load: int
    stall_store: int
    stall_token: int
