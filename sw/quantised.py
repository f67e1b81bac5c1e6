"""The quantised graph: what quantisation hands to the compiler and to the golden model, in integers only."""

from __future__ import annotations

from dataclasses import dataclass

from .integer.layer import IntegerLayer
from .integer.mac import MacLayer
from .integer.max import MaxLayer
from .integer.segments import HeldSegment, Segment
from .integer.table import LevelTable
from .integer.tensor import QuantisedTensor
from .outputs import Output, output_tensors
from .states import State

__all__ = [
    "HeldSegment",
    "InputSpec",
    "IntegerLayer",
    "LevelTable",
    "MacLayer",
    "MaxLayer",
    "QuantisedGraph",
    "QuantisedTensor",
    "Segment",
]


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """How one sample of the model's own input becomes the (C, H, W) tensor ``tensor``.

    ``shape`` is the sample's shape without the batch axis; it is transposed by ``permutation`` (empty: as it is),
    then reshaped to the tensor's shape.
    """

    tensor: str
    shape: tuple[int, ...]
    permutation: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QuantisedGraph:
    """Layers in execution order over named tensors; ``outputs`` are the model's, in its order."""

    name: str
    tensors: dict[str, QuantisedTensor]
    input: InputSpec
    layers: tuple[IntegerLayer, ...]
    outputs: tuple[Output, ...]
    states: tuple[State, ...] = ()

    @property
    def output_tensors(self) -> tuple[str, ...]:
        """Tensors that outputs show, each once."""
        return output_tensors(self.outputs)

    @property
    def starts(self) -> tuple[str, ...]:
        """Tensors that no layer writes: the input, then the states."""
        return self.input.tensor, *(state.tensor for state in self.states)

    @property
    def ends(self) -> tuple[str, ...]:
        """Tensors that are needed when a run is over, each once: those that outputs show, and updates of states."""
        return tuple(dict.fromkeys((*self.output_tensors, *(state.update for state in self.states))))
