"""Shortages: all that a configuration lacks for a model, gathered while it is compiled and said at once."""

from __future__ import annotations

from ...hw.spec.config import AcceleratorConfig
from ..errors import CapacityError, CertificateError
from ..shortage import Shortage

__all__ = ["Shortages"]


class Shortages:
    """What is lacking so far, of each parameter the largest need and the first layer that has one."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._found: dict[str, Shortage] = {}

    def need(self, parameter: str, what: str, needed: int, layer: str) -> None:
        """See whether the configuration has as much as a layer needs."""
        before = self._found.get(parameter)
        if needed <= max(getattr(self._config, parameter), before.needed if before else 0):
            return
        first = before.layer if before else layer
        self._found[parameter] = Shortage.of(self._config, parameter, what, needed=needed, layer=first)

    def check(self) -> None:
        """Raise if anything is lacking.

        Raises
        ------
        CertificateError
            If only the accumulator is too narrow.
        CapacityError
            Of everything that is lacking.
        """
        found = tuple(self._found.values())
        if found:
            kind = CertificateError if list(self._found) == ["acc_bits"] else CapacityError
            raise kind("; ".join(map(str, found)), found)
