"""Segments of a multiply-accumulate layer: what it weighs each of its sources by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.certificate import final_sum_bounds, product_sum_bounds
from ...hw.spec.digits import Digits
from ...hw.spec.exact import ExactSource, float_sums
from ..records import read_record
from .checks import need, need_window
from .parts import narrowed, plain, widened
from .tensor import QuantisedTensor

__all__ = ["HeldSegment", "Segment", "divided", "exact_sources", "segment_from_parts", "sum_bounds"]

_MOST_WEIGHT = 1 << 15
_Sides = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One source of a MAC layer with its taps; a `reader.Reader`.

    ``weights`` are levels of shape (O, I, kH, kW), or (C, 1, kH, kW) when ``depthwise`` (output channel c reads source
    channel c only). ``pads`` are (top, left, bottom, right); padding reads as the source's zero level, and a negative
    amount leaves out lines or columns of the source. ``inset`` are the lines and columns of output pixels, at the same
    four sides, that find all taps in padding: so weights can differ near the border.
    """

    source: str
    weights: NDArray[np.int64]
    depthwise: bool = False
    stride: tuple[int, int] = (1, 1)
    pads: _Sides = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    inset: _Sides = (0, 0, 0, 0)

    @property
    def kernel(self) -> tuple[int, int]:
        """Lines and columns of a window."""
        return self.weights.shape[2], self.weights.shape[3]

    @property
    def known(self) -> bool:
        """Whether the weights are those that will be used, and not just of their shape."""
        return True

    @property
    def trained(self) -> bool:
        """Whether the weights are learned, and not the graph's structure: identities, averages and scalings are."""
        taps = self.weights.reshape(len(self.weights), -1)
        return not (self.depthwise and bool((taps == taps[:, :1]).all()))

    @property
    def read(self) -> NDArray[np.bool_]:
        """Which taps (kH, kW) some channel weighs: others are not read."""
        return np.asarray(self.weights.any(axis=(0, 1)))

    @property
    def what(self) -> str:
        """It in words."""
        return f"{'depthwise ' if self.depthwise else ''}{'x'.join(map(str, self.kernel))}"

    def codes(self, digits: Digits) -> list[NDArray[np.uint8] | None]:
        """Codes of the weights by digit, lowest first; None where all are 0."""
        return [codes if codes.any() else None for codes in digits.fewest_codes(self.weights)]

    def formats(self, tensors: Mapping[str, QuantisedTensor]) -> str:
        """Range of the weights and format of the source, in words."""
        low, high = int(self.weights.min(initial=0)), int(self.weights.max(initial=0))
        return f"{low}..{high} x {tensors[self.source].format}"

    def reading(self, names: Mapping[str, str]) -> Self:
        """As `reader.Reader` says."""
        return replace(self, source=names.get(self.source, self.source))

    def placed(self, source: str, pads: _Sides, inset: _Sides) -> Self:
        """As `reader.Reader` says."""
        return replace(self, source=source, pads=pads, inset=inset)

    def of_channels(self, chosen: slice) -> Self:
        """Some output channels."""
        return replace(self, weights=self.weights[chosen])

    def by_channel(self) -> Self:
        """It as a depthwise one, if each output channel weighs the source's channel of its own number alone."""
        outputs, inputs, *_ = self.weights.shape
        own = np.arange(outputs)
        if outputs == inputs and np.count_nonzero(self.weights) == np.count_nonzero(self.weights[own, own]):
            return replace(self, weights=self.weights[own, own][:, np.newaxis], depthwise=True)
        return self

    def added(
        self,
        total: NDArray[np.float64],
        tensors: Mapping[str, QuantisedTensor],
        values: Mapping[str, NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """A total and the sums (N, O, OH, OW) of any numbers in steps of levels, of shape (N, C, H, W), in float64."""
        zero, weights = tensors[self.source].zero, self.weights.astype(np.float64)
        less = (values[self.source] - zero).transpose(1, 0, 2, 3)
        sums = float_sums(replace(self, weights=weights), less).transpose(1, 0, 2, 3)
        return total + sums + zero * weights.sum(axis=(1, 2, 3))[:, np.newaxis, np.newaxis]

    def check(self, tensors: Mapping[str, QuantisedTensor], output: QuantisedTensor, where: str) -> None:
        """Refuse what no quantiser makes; raises as `layer.IntegerLayer.check` does."""
        source, weights = tensors[self.source], self.weights
        channels = (output.shape[0], 1) if self.depthwise else (output.shape[0], source.shape[0])
        need(weights.ndim == 4 and weights.shape[:2] == channels, f"{where} has weights of shape {weights.shape}")
        need(not self.depthwise or output.shape[0] == source.shape[0], f"{where} has other channels than its source")
        need(bool((np.abs(weights) < _MOST_WEIGHT).all()), f"{where} has weights beyond 15 bits")
        need(min(self.inset) >= 0, f"{where} has the inset {self.inset}")
        need_window(source, output, self, where)

    def to_parts(self, key: str) -> tuple[dict[str, Any], dict[str, NDArray[np.signedinteger]]]:
        """Values of JSON, and arrays whose names begin with ``key``."""
        return plain(self, without=("weights",)), {f"{key}.weights": narrowed(self.weights)}


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

    @property
    def trained(self) -> bool:
        """Products of tensors count as the model's own."""
        return True

    @property
    def what(self) -> str:
        """It in words."""
        return f"{'elementwise' if self.depthwise else 'matrix'} product with {self.held}"

    def formats(self, tensors: Mapping[str, QuantisedTensor]) -> str:
        """Formats of both tensors, in words."""
        return f"{tensors[self.held].format} x {tensors[self.source].format}"

    def reading(self, names: Mapping[str, str]) -> Self:
        """As `reader.Reader` says."""
        return replace(super().reading(names), held=names.get(self.held, self.held))

    def bounds(self, tensors: Mapping[str, QuantisedTensor]) -> tuple[int, int]:
        """Smallest and largest sum, whatever levels of their spans the tensors hold."""
        x, w = tensors[self.source], tensors[self.held]
        return product_sum_bounds(x.span, x.zero, w.span, w.zero, self.weights.shape[1])

    def added(
        self,
        total: NDArray[np.float64],
        tensors: Mapping[str, QuantisedTensor],
        values: Mapping[str, NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """A total and the sums of any numbers in steps of both tensors' levels, in float64."""
        zeros = [tensors[name].zero for name in (self.source, self.held)]
        x, w = (values[name] - zero for name, zero in zip((self.source, self.held), zeros, strict=True))
        sums = x * w if self.depthwise else np.einsum("nchw,nco->nohw", x, w.reshape(*x.shape[:2], -1))
        return total + (sums - self.weights.shape[1] * zeros[0] * zeros[1])

    def check(self, tensors: Mapping[str, QuantisedTensor], output: QuantisedTensor, where: str) -> None:
        """Refuse what no quantiser makes; raises as `layer.IntegerLayer.check` does."""
        source, held = tensors[self.source].shape, tensors[self.held].shape
        point = Segment(source=self.source, weights=self.weights, depthwise=self.depthwise)
        same = all(getattr(self, side) == getattr(point, side) for side in ("stride", "pads", "dilation", "inset"))
        need(same, f"{where} has a product of tensors with a window")
        fits = held[0] == source[0] and (not self.depthwise or held[1:] in (source[1:], (1, 1)))
        need(fits, f"{where} has a product of tensors of the shapes {source} and {held}")
        blank = HeldSegment.blank(source, held, depthwise=self.depthwise).shape
        need(self.weights.shape == blank, f"{where} has weights of shape {self.weights.shape}")
        given = (source[0] if self.depthwise else held[1] * held[2], *source[1:])
        need(given == output.shape, f"{where} does not give the shape {output.shape}")

    def to_parts(self, key: str) -> tuple[dict[str, Any], dict[str, NDArray[np.signedinteger]]]:
        """Values of JSON; there are no arrays."""
        return plain(self, without=("weights",)), {}


def segment_from_parts(
    values: Mapping[str, Any], key: str, arrays: Mapping[str, NDArray[Any]], tensors: Mapping[str, QuantisedTensor]
) -> Segment:
    """The segment again; the inverse of `Segment.to_parts`, raises as `layer.IntegerLayer.from_parts` does."""
    if "held" not in values:
        if (weights := arrays.get(f"{key}.weights")) is None:
            raise ValueError("a segment has no weights")
        return read_record(Segment, values, weights=widened(weights))
    segment = read_record(HeldSegment, values, weights=np.zeros(0, dtype=np.int64))
    source, held = (tensors[name].shape for name in (segment.source, segment.held))
    return replace(segment, weights=HeldSegment.blank(source, held, depthwise=segment.depthwise))


def divided(segments: Sequence[Segment]) -> tuple[list[Segment], list[HeldSegment]]:
    """Segments that have weights of their own, and those that are products of two tensors."""
    own = [segment for segment in segments if not isinstance(segment, HeldSegment)]
    return own, [segment for segment in segments if isinstance(segment, HeldSegment)]


def exact_sources(segments: Sequence[Segment], tensors: Mapping[str, QuantisedTensor]) -> list[ExactSource]:
    """Spans and zero levels of the segments' sources, which ``tensors`` hold by name."""
    return [ExactSource(tensors[segment.source].span, tensors[segment.source].zero) for segment in segments]


def sum_bounds(
    segments: Sequence[Segment], tensors: Mapping[str, QuantisedTensor]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest final sum of each output channel, whatever levels of their spans the ``tensors`` hold."""
    low, high = final_sum_bounds((segment.weights, tensors[segment.source].span) for segment in segments)
    for product in divided(segments)[1]:  # its weights were blank
        least, most = product.bounds(tensors)
        low, high = low + least, high + most
    return low, high
