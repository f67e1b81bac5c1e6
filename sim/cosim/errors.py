"""SimulationError: a simulation that did not come to its end."""

from __future__ import annotations

from ...sw.errors import NarrowsError

__all__ = ["SimulationError"]


class SimulationError(NarrowsError):
    """A simulator that crashed, hung or could not be built; the message names its log."""
