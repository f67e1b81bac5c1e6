"""estimate_clock: the clock that a core reaches on an ECP5 before anything is placed, from cores that were."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...hw.spec.config import AcceleratorConfig
from .cells import cores_measured, estimate_cells

__all__ = ["Clock", "clock_terms", "estimate_clock"]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Estimated highest clock in MHz, speed grade 6; ``error`` is the largest on cores that the estimate was not fitted
    to, as a share."""

    mhz: float
    error: float


def clock_terms(config: AcceleratorConfig, luts: float) -> dict[str, float]:
    """What the shortest clock period of a core of so many look-up tables is linear in, by name.

    ``wires`` grows with the side of the square that the core takes, ``levels`` are those of the adder tree between two
    registers, ``multiplicand`` is the rescaler's width in 4 bits, ``network`` the levels between banks and rows,
    ``accumulator`` its width in 16 bits; ``port`` is whether the host's port has more pins than a serial one: they draw
    the logic apart. Cores with a backing store were not placed, as their memory bus has more pins than the device: they
    are taken for cores without.
    """
    return {
        "constant": 1.0,
        "wires": math.sqrt(luts / 10_000),
        "levels": float(min(config.tree_stage, config.lanes.bit_length() - 1)),
        "multiplicand": config.rescale_bits / 4,
        "network": float(config.banks_log2),
        "accumulator": config.acc_bits / 16,
        "port": float(not config.is_serial),
    }


def estimate_clock(config: AcceleratorConfig) -> Clock:
    """Clock on an ECP5: its period is linear in `clock_terms`."""
    fit = cores_measured()["clock"]
    terms = clock_terms(config, estimate_cells(config).luts)
    period = sum(fit["factors"][name] * count for name, count in terms.items())
    return Clock(mhz=1000 / period, error=fit["error"])
