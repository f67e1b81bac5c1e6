"""QuantSettings: the number formats that quantisation aims at."""

from __future__ import annotations

from dataclasses import dataclass

from ...hw.spec.formats import Format, parse_format
from ..errors import InputError

__all__ = ["QuantSettings"]


@dataclass(frozen=True, kw_only=True)
class QuantSettings:
    """Formats by name, as `hw.spec.formats.parse_format` takes them.

    Parameters
    ----------
    weights : str
        Of weights; signed.
    acts : str
        Of tensors between layers. The network's input and outputs have integer formats of their own.
    edge_weights : str or None
        Of the weights of layers that read the network's input or write its outputs; None: the same as ``weights``.

    Raises
    ------
    InputError
        If a format is unknown, or one of weights is unsigned.
    """

    weights: str = "dybit4"
    acts: str = "dybit4"
    edge_weights: str | None = None

    def __post_init__(self) -> None:
        for field in ("weights", "edge_weights"):
            if getattr(self, field) is not None and not self._format(field).signed:
                raise InputError(f"{field} must be a signed format, not {getattr(self, field)}: drop the u")
        self._format("acts")

    def _format(self, field: str) -> Format:
        name = getattr(self, field)
        if not isinstance(name, str):
            raise TypeError(f"{field} must be the name of a format, not {name!r}")
        try:
            return parse_format(name)
        except ValueError as error:
            raise InputError(f"{field}: {error}") from error

    @property
    def act_format(self) -> Format:
        """Format of tensors between layers."""
        return self._format("acts")

    def weight_format(self, *, edge: bool) -> Format:
        """Format of the weights of a layer; ``edge`` if it reads the network's input or writes an output."""
        return self._format("edge_weights" if edge and self.edge_weights is not None else "weights")
