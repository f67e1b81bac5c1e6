"""The quantised graph: what quantisation hands to the compiler and to the golden model, in integers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.formats import Format
from .enlarging import Factors, small_size
from .outputs import Output, output_tensors
from .states import State

__all__ = [
    "HeldSegment",
    "InputSpec",
    "LevelTable",
    "MacLayer",
    "MaxLayer",
    "QuantisedGraph",
    "QuantisedTensor",
    "Segment",
]


@dataclass(frozen=True, kw_only=True)
class QuantisedTensor:
    """A tensor of levels: real value = ``scale * (level - zero)``.

    ``low`` and ``high`` are the clamp of the layer that writes it; all of ``zero``, ``low``, ``high`` are levels of
    ``format``.
    """

    name: str
    shape: tuple[int, int, int]
    format: Format
    scale: float
    zero: int
    low: int
    high: int

    @property
    def span(self) -> tuple[int, int]:
        """Range (lo, hi) a consumer may assume: it holds 0, the zero level and the clamp."""
        return min(0, self.zero, self.low), max(0, self.zero, self.high)

    @property
    def levels(self) -> NDArray[np.int64]:
        """Levels of the format within the span, in increasing order."""
        low, high = self.span
        levels = self.format.levels
        return levels[(levels >= low) & (levels <= high)]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One source of a MAC layer with its taps.

    ``weights`` are levels of shape (O, I, kH, kW), or (C, 1, kH, kW) when ``depthwise`` (output channel c reads source
    channel c only). ``pads`` are (top, left, bottom, right); padding reads as the source's zero level, and a negative
    amount leaves out lines or columns of the source. ``inset`` are the lines and columns of output pixels, at the same
    four sides, that find all taps in padding: so weights can differ near the border.
    """

    source: str
    weights: NDArray[np.int64]
    depthwise: bool = False
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    inset: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class HeldSegment(Segment):
    """A product of two tensors: ``sum of x*w - Zx*w - Zw*x``, x of ``source`` and w of ``held``, over the channels.

    Matrix product: the weights of output channel o are all channels of pixel o of ``held``, counted in line order; the
    output has the source's pixels. ``depthwise``, the elementwise product: ``held`` has the source's shape, or one
    pixel that weighs all. ``weights`` (`blank`) say nothing but their shape; there is no stride, padding or kernel.
    """

    held: str

    @staticmethod
    def blank(source: tuple[int, int, int], held: tuple[int, int, int], *, depthwise: bool) -> NDArray[np.int64]:
        """Zeros, which take no memory, of the shape of the weights, from the shapes of both tensors."""
        shape = (source[0], 1, 1, 1) if depthwise else (held[1] * held[2], source[0], 1, 1)
        return np.broadcast_to(np.int64(0), shape)


@dataclass(frozen=True, kw_only=True)
class LevelTable:
    """A function of integers: ``levels`` of -127 to 127, shape (255,), are those of the output's format.

    ``zero``, ``low`` and ``high`` take the place of the output's for the integer that is looked up, within -127..127.
    """

    zero: int
    low: int
    high: int
    levels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class MacLayer:
    """``y = nearest((sum over segments + bias) * multiplicand / 2**shift + Z)`` clamped, per output channel.

    ``bias`` (it already holds ``-sum of Z*w`` of every segment, of a `HeldSegment` ``sum of Zx*Zw``), ``multiplicand``
    and ``shift`` have shape (O,).
    With a ``table``, y is an integer with the table's Z and clamp, and what it holds for y is the output.
    ``cert_bits`` is the accumulator width that the certificate of its weights and sources asks for; ``origin`` are the
    names of the model's nodes that the layer came from. Where it enlarges, its O channels are phases of its output
    (`enlarging`).
    """

    name: str
    segments: tuple[Segment, ...]
    bias: NDArray[np.int64]
    multiplicand: NDArray[np.int64]
    shift: NDArray[np.int64]
    cert_bits: int
    output: str
    table: LevelTable | None = None
    origin: tuple[str, ...] = ()
    enlarge: Factors = (1, 1)

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read, each once."""
        read = [segment.source for segment in self.segments]
        return tuple(dict.fromkeys([*read, *(segment.held for segment in self.products)]))

    @property
    def products(self) -> tuple[HeldSegment, ...]:
        """Segments that are products of two tensors."""
        return tuple(segment for segment in self.segments if isinstance(segment, HeldSegment))

    def size(self, output: QuantisedTensor) -> tuple[int, int]:
        """Lines and columns of the sums that give this output."""
        return small_size(output.shape, self.enlarge)


@dataclass(frozen=True, kw_only=True)
class MaxLayer:
    """Max-pool on levels; padding is excluded. The output has the source's format, scale and zero."""

    name: str
    source: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    output: str
    dilation: tuple[int, int] = (1, 1)
    origin: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)

    @property
    def enlarge(self) -> Factors:
        """It does not enlarge."""
        return 1, 1

    def size(self, output: QuantisedTensor) -> tuple[int, int]:
        """Lines and columns of windows that give this output."""
        return output.shape[1], output.shape[2]


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
    layers: tuple[MacLayer | MaxLayer, ...]
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
