"""IntegerLayer: what everything around a quantised graph asks of a layer, whatever its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..enlarging import Factors, small_size
from ..errors import WidthError
from ..records import read_record
from .parts import plain
from .reader import Reader
from .segments import Segment
from .table import LevelTable
from .tensor import QuantisedTensor

__all__ = ["Evaluator", "IntegerLayer"]

Evaluator = Callable[[Mapping[str, NDArray[np.float32]]], NDArray[np.float32]]
"""Levels of a layer's output from those of its sources by name; tensors have their channels first, (C, N, H, W)."""


class IntegerLayer(ABC):
    """A layer between tensors of levels; kinds are frozen dataclasses, each in a file of its own.

    Where a method takes ``tensors``, they hold at least the layer's sources and its output, by name. How the compiler
    lays a kind out is for its planner to say (`compile/planner.py`).

    ``origin`` are the names of the model's nodes that the layer came from. ``cert_bits`` is the accumulator width that
    it states, 0 if it sums nothing up. ``segments`` are what it weighs its sources by, if it does. With a ``table`` its
    results are looked up. Where it enlarges, what it computes are phases of its output (`enlarging`).
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    kind: ClassVar[str]
    """What program files call it."""

    name: str
    output: str
    origin: tuple[str, ...]
    cert_bits: int
    segments: tuple[Segment, ...]
    table: LevelTable | None
    enlarge: Factors

    # What it reads and writes

    @property
    @abstractmethod
    def readers(self) -> tuple[Reader, ...]:
        """Windows through which it reads its sources."""

    @abstractmethod
    def with_readers(self, readers: Sequence[Any]) -> Self:
        """The same layer with other windows, as many as it has and of the same kind."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read, each once."""
        return tuple(dict.fromkeys(reader.source for reader in self.readers))

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same with other names of its tensors, where ``names`` has them."""
        reading = self.with_readers([reader.reading(names) for reader in self.readers])
        return replace(reading, output=names.get(self.output, self.output))

    def of_channels(self, chosen: slice) -> Self:
        """Some of the channels that it computes: the same layer, unless it has numbers of its own for each."""
        return self

    def size(self, output: QuantisedTensor) -> tuple[int, int]:
        """Lines and columns that it computes to give this output."""
        return small_size(output.shape, self.enlarge)

    def pads_as_zero(self, tensors: Mapping[str, QuantisedTensor]) -> bool:
        """Whether padding may as well be pixels of the source that hold its zero level."""
        return False

    # What it computes

    @abstractmethod
    def evaluator(self, tensors: Mapping[str, QuantisedTensor]) -> Evaluator:
        """Its arithmetic, planned once for any number of batches; if it rounds nothing, it takes any numbers.

        Raises
        ------
        ValueError
            If sums could be too large to be exact.
        """

    def unrounded(
        self, tensors: Mapping[str, QuantisedTensor], values: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.float64] | None:
        """What it rounds, less the zero level, of shape (N, O, OH, OW) before it enlarges; None if it rounds nothing.

        Parameters
        ----------
        tensors : mapping of QuantisedTensor
        values : mapping of arrays, shape (N, C, H, W)
            Its sources in steps of their levels: whole numbers or not.
        """
        return None

    @abstractmethod
    def lanes(
        self,
        levels: NDArray[np.int64],
        stored: Mapping[str, NDArray[np.int64]],
        tensors: Mapping[str, QuantisedTensor],
        config: AcceleratorConfig,
    ) -> NDArray[np.int64]:
        """Levels (channels, H, W) of every lane that a core writes and that does not depend on what was there before.

        Parameters
        ----------
        levels : array, shape (C, H, W)
            Those of its output.
        stored : mapping of arrays
            The lanes of its sources, of which the first are their channels.
        tensors : mapping of QuantisedTensor
        config : AcceleratorConfig
        """

    # What bounds it

    def sum_bits(self, tensors: Mapping[str, QuantisedTensor]) -> int:
        """Accumulator bits that its final sums need, whatever its sources hold; 0 if it sums nothing up."""
        return 0

    def check_widths(self, tensors: Mapping[str, QuantisedTensor], config: AcceleratorConfig) -> None:
        """See that all its numbers fit the widths of a core, whatever its sources hold.

        Raises
        ------
        WidthError
            If one does not.
        """
        if self.cert_bits > config.acc_bits:
            raise WidthError(
                f"layer {self.name}: its certificate asks for {self.cert_bits} accumulator bits, "
                f"the configuration has {config.acc_bits}"
            )

    @abstractmethod
    def check(self, tensors: Mapping[str, QuantisedTensor]) -> None:
        """Refuse what no quantiser makes.

        Raises
        ------
        ValueError
            If shapes, levels or geometry do not fit each other.
        """

    # What is kept and told of it

    def to_parts(self, key: str) -> tuple[dict[str, Any], dict[str, NDArray[np.signedinteger]]]:
        """Values of JSON, and arrays whose names begin with ``key``, for a file: its fields, if they are no arrays."""
        return plain(self), {}

    @classmethod
    def from_parts(
        cls,
        values: Mapping[str, Any],
        key: str,
        arrays: Mapping[str, NDArray[Any]],
        tensors: Mapping[str, QuantisedTensor],
    ) -> Self:
        """The layer again; the inverse of :meth:`to_parts`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a part is missing, unknown or of the wrong kind.
        """
        return read_record(cls, values)

    @property
    @abstractmethod
    def what(self) -> str:
        """What it does, in words for a report."""

    def formats(self, tensors: Mapping[str, QuantisedTensor]) -> str:
        """What it computes with, in words for a report: the formats of its sources."""
        return " + ".join(dict.fromkeys(str(tensors[name].format) for name in self.sources))
