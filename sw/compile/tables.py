"""Tables of a program under construction: append-only memories that share equal runs and say what does not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from ...hw.spec.config import AcceleratorConfig, ConfigError
from ..errors import CapacityError

__all__ = ["Table", "check_fits"]

Row = TypeVar("Row", bound=Hashable)


class Table(Generic[Row]):
    """Rows of one memory; equal runs of rows are stored once.

    Parameters
    ----------
    what : str
        Name of the rows in messages.
    parameter : str
        Parameter of the configuration that sets the memory's capacity.
    """

    def __init__(self, what: str, parameter: str) -> None:
        self.what = what
        self.parameter = parameter
        self.rows: list[Row] = []
        self._places: dict[Row, list[int]] = {}
        self._marks: list[tuple[str, int]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, run: Sequence[Row]) -> int:
        """Index at which the rows of ``run`` lie one after the other, appended if they do not yet."""
        for index in self._places.get(run[0], ()):
            if index + len(run) <= len(self.rows) and all(self.rows[index + k] == row for k, row in enumerate(run)):
                return index
        return self.append(run)

    def append(self, run: Sequence[Row]) -> int:
        """Index of the rows of ``run``, appended in any case."""
        start = len(self.rows)
        for index, row in enumerate(run, start):
            self._places.setdefault(row, []).append(index)
        self.rows.extend(run)
        return start

    def mark(self, layer: str) -> None:
        """Note that a layer's rows are all in."""
        self._marks.append((layer, len(self.rows)))

    def layer_of(self, index: int) -> str:
        """Layer that brought a row in."""
        return next(layer for layer, used in self._marks if index < used)

    def check(self, config: AcceleratorConfig) -> None:
        """See that everything fits.

        Raises
        ------
        CapacityError
            Naming the first layer that does not fit.
        """
        for layer, used in self._marks:
            if used > getattr(config, self.parameter):
                check_fits(config, self.parameter, self.what, needed=len(self.rows), layer=layer)


def check_fits(config: AcceleratorConfig, parameter: str, what: str, *, needed: int, layer: str) -> None:
    """See that a capacity of the configuration suffices.

    Raises
    ------
    CapacityError
        Naming the layer, what is needed and available, and the parameter to raise, if any value of it would do.
    """
    available = getattr(config, parameter)
    if needed <= available:
        return
    enough = 1 << (needed - 1).bit_length() if parameter == "act_words" else needed
    try:
        dataclasses.replace(config, **{parameter: enough})
        cure = f"raise {parameter} to {enough}"
    except ConfigError:
        cure = f"no value of {parameter} is large enough, use a smaller model"
    raise CapacityError(
        f"the model needs {needed} {what}, the configuration has {available} (layer {layer!r} exceeds them): {cure}"
    )
