"""MacLayer: sums of products, rescaled to levels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.certificate import signed_bits
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.exact import Drain, ExactLayer, exact_sums, largest_sums
from ...hw.spec.semantics import accumulate_products
from ...hw.spec.tables import look_up
from ..enlarging import Factors, enlarged
from ..errors import WidthError
from ..records import read_record
from .checks import MOST_ELEMENTS, need
from .layer import Evaluator, IntegerLayer
from .parts import narrowed, plain, widened
from .segments import HeldSegment, Segment, divided, exact_sources, segment_from_parts, sum_bounds
from .table import LevelTable
from .tensor import QuantisedTensor

__all__ = ["MacLayer"]

_MOST_SHIFT = 63
_ARRAYS = ("bias", "multiplicand", "shift")


@dataclass(frozen=True, kw_only=True)
class MacLayer(IntegerLayer):
    """``y = nearest((sum over segments + bias) * multiplicand / 2**shift + Z)`` clamped, per output channel.

    ``bias`` (it already holds ``-sum of Z*w`` of every segment, of a `HeldSegment` ``sum of Zx*Zw``), ``multiplicand``
    and ``shift`` have shape (O,).
    With a ``table``, y is an integer with the table's Z and clamp, and what it holds for y is the output.
    ``cert_bits`` is the accumulator width that the certificate of its weights and sources asks for; ``origin`` are the
    names of the model's nodes that the layer came from. Where it enlarges, its O channels are phases of its output
    (`enlarging`).
    """

    kind: ClassVar[str] = "mac"

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
    def readers(self) -> tuple[Segment, ...]:
        """Its segments."""
        return self.segments

    def with_readers(self, readers: Sequence[Segment]) -> Self:
        """As `IntegerLayer` says."""
        return replace(self, segments=tuple(readers))

    @property
    def products(self) -> tuple[HeldSegment, ...]:
        """Segments that are products of two tensors."""
        return tuple(divided(self.segments)[1])

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read, each once; those that are held last."""
        read = [segment.source for segment in self.segments]
        return tuple(dict.fromkeys([*read, *(segment.held for segment in self.products)]))

    def of_channels(self, chosen: slice) -> Self:
        """As `IntegerLayer` says."""
        return replace(
            self,
            segments=tuple(segment.of_channels(chosen) for segment in self.segments),
            bias=self.bias[chosen],
            multiplicand=self.multiplicand[chosen],
            shift=self.shift[chosen],
        )

    def pads_as_zero(self, tensors: Mapping[str, QuantisedTensor]) -> bool:
        """Always: padding reads as the zero level."""
        return True

    def evaluator(self, tensors: Mapping[str, QuantisedTensor]) -> Evaluator:
        """As `IntegerLayer` says."""
        drain = self.drain(tensors)
        if self.products:
            return lambda levels: drain(self._sums(tensors, levels))
        sources = [segment.source for segment in self.segments]
        planned = ExactLayer(self.segments, exact_sources(self.segments, tensors), drain)

        def evaluate(levels: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
            found = planned.run([levels[name] for name in sources])
            return enlarged(found.transpose(1, 0, 2, 3), self.enlarge).transpose(1, 0, 2, 3)

        return evaluate

    def drain(self, tensors: Mapping[str, QuantisedTensor]) -> Drain:
        """From the final sums to the levels of the output."""
        output = tensors[self.output]
        rounded = self.table or output
        products = sum(max(map(abs, segment.bounds(tensors))) for segment in self.products)
        return Drain(
            largest_sums(self.segments, exact_sources(self.segments, tensors)) + products,
            self.bias,
            self.multiplicand,
            self.shift,
            zero=rounded.zero,
            fmt=output.format,
            low=rounded.low,
            high=rounded.high,
            table=self.table.levels if self.table else None,
        )

    def _sums(self, tensors: Mapping[str, QuantisedTensor], levels: Mapping[str, NDArray[np.float32]]) -> NDArray[Any]:
        """Sums of all segments, products of tensors included, of shape (O, N, OH, OW), before the bias."""
        own, products = divided(self.segments)
        parts = [_product_sums(segment, tensors, levels) for segment in products]
        if own:
            sums = exact_sums(own, exact_sources(own, tensors), [levels[segment.source] for segment in own])
            parts.append(sums.astype(np.int64))
        return np.sum(parts, axis=0)

    def unrounded(
        self, tensors: Mapping[str, QuantisedTensor], values: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """As `IntegerLayer` says, in float64."""
        total = self.bias[:, np.newaxis, np.newaxis].astype(np.float64)
        for segment in self.segments:
            total = segment.added(total, tensors, values)
        return total * (self.multiplicand / 2.0**self.shift)[:, np.newaxis, np.newaxis]

    def lanes(
        self,
        levels: NDArray[np.int64],
        stored: Mapping[str, NDArray[np.int64]],
        tensors: Mapping[str, QuantisedTensor],
        config: AcceleratorConfig,
    ) -> NDArray[np.int64]:
        """The output's channels and those of columns that have none: they sum up nothing."""
        columns = -(-len(levels) // config.columns) * config.columns
        rounded = self.table or tensors[self.output]
        idle = np.clip(rounded.zero, rounded.low, rounded.high)
        if self.table:
            idle = look_up(self.table.levels, idle)
        lanes = np.full((columns, *levels.shape[1:]), int(idle), dtype=np.int64)
        lanes[: len(levels)] = levels
        return lanes

    def sum_bits(self, tensors: Mapping[str, QuantisedTensor]) -> int:
        """As `IntegerLayer` says."""
        return signed_bits(*sum_bounds(self.segments, tensors))

    def check_widths(self, tensors: Mapping[str, QuantisedTensor], config: AcceleratorConfig) -> None:
        """As `IntegerLayer` says; no sum passes the certificate, and no level of a table the output's span."""
        where, output = f"layer {self.name}", tensors[self.output]
        super().check_widths(tensors, config)
        needed = config.digits.count(output.levels)
        if needed > config.planes:
            raise WidthError(f"{where}: its output needs {needed} planes, the configuration writes {config.planes}")
        _fits(where, "bias", self.bias, self.bias, config.bias_width)
        top = 1 << config.rescale_bits
        for name, values, low, high in (
            ("multiplicand", self.multiplicand, top // 2, top - 1),
            ("shift", self.shift, 0, config.shift_max),
        ):
            wrong = np.flatnonzero((values < low) | (values > high))
            if len(wrong):
                raise WidthError(f"{where}, channel {wrong[0]}: {name} {values[wrong[0]]} is not {low} to {high}")
        _fits(where, "final sum", *sum_bounds(self.segments, tensors), self.cert_bits)
        if self.table:
            (low, high), used = output.span, self.table.used
            if used.min() < low or used.max() > high:
                raise WidthError(
                    f"{where}: its table holds levels from {used.min()} to {used.max()}, its output those "
                    f"from {low} to {high}"
                )

    def check(self, tensors: Mapping[str, QuantisedTensor]) -> None:
        """As `IntegerLayer` says."""
        output, where, factors = tensors[self.output], f"layer {self.name!r}", self.enlarge
        need(min(factors) >= 1 and max(factors) <= MOST_ELEMENTS, f"{where} enlarges by {factors}")
        if factors != (1, 1):
            whole = not (output.shape[1] % factors[0] or output.shape[2] % factors[1])
            need(whole and not self.products, f"{where} enlarges by {factors} to {output.shape}")
            output = replace(output, shape=(output.shape[0] * math.prod(factors), *self.size(output)))
        need(bool(self.segments), f"{where} reads nothing")
        for segment in self.segments:
            segment.check(tensors, output, where)
        kinds = {segment.depthwise for segment in self.products}
        need(len(kinds) < 2, f"{where} has a matrix product beside an elementwise one")
        for name in _ARRAYS:
            array: NDArray[np.int64] = getattr(self, name)
            need(array.shape == output.shape[:1], f"{where} has {name} of shape {array.shape}")
        need(bool((self.multiplicand >= 0).all()), f"{where} has a negative multiplicand")
        need(bool(((self.shift >= 0) & (self.shift <= _MOST_SHIFT)).all()), f"{where} has a shift out of range")
        if self.table is not None:
            self.table.check(output.format, where)

    def to_parts(self, key: str) -> tuple[dict[str, Any], dict[str, NDArray[np.signedinteger]]]:
        """As `IntegerLayer` says: arrays ``<key>.<field>``, ``<key>.segment<m>.weights`` and ``<key>.table``."""
        ordinary = ("enlarge",) if self.enlarge == (1, 1) else ()
        values = plain(self, without=("segments", "table", *ordinary, *_ARRAYS))
        arrays: dict[str, NDArray[np.signedinteger]] = {}
        segments = []
        for number, segment in enumerate(self.segments):
            part, weights = segment.to_parts(f"{key}.segment{number}")
            segments.append(part)
            arrays |= weights
        arrays |= {f"{key}.{name}": narrowed(getattr(self, name)) for name in _ARRAYS}
        if self.table is not None:
            arrays[f"{key}.table"] = narrowed(self.table.levels)
            values["table"] = plain(self.table, without=("levels",))
        return {**values, "segments": segments}, arrays

    @classmethod
    def from_parts(
        cls,
        values: Mapping[str, Any],
        key: str,
        arrays: Mapping[str, NDArray[Any]],
        tensors: Mapping[str, QuantisedTensor],
    ) -> Self:
        """As `IntegerLayer` says."""
        values = dict(values)
        segments = tuple(
            segment_from_parts(segment, f"{key}.segment{number}", arrays, tensors)
            for number, segment in enumerate(values.pop("segments"))
        )
        found = values.pop("table", None)
        table = None if found is None else read_record(LevelTable, found, levels=widened(arrays[f"{key}.table"]))
        numbers = {name: widened(arrays[f"{key}.{name}"]) for name in _ARRAYS}
        return read_record(cls, values, segments=segments, table=table, **numbers)

    @property
    def what(self) -> str:
        """As `IntegerLayer` says: its segments."""
        return " + ".join(segment.what for segment in self.segments)

    def formats(self, tensors: Mapping[str, QuantisedTensor]) -> str:
        """Those of each segment, alike ones once."""
        return " + ".join(dict.fromkeys(segment.formats(tensors) for segment in self.segments))


def _product_sums(
    segment: HeldSegment, tensors: Mapping[str, QuantisedTensor], levels: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.int64]:
    x, w = (levels[name].transpose(1, 0, 2, 3).astype(np.int64) for name in (segment.source, segment.held))
    zero, held_zero = (tensors[name].zero for name in (segment.source, segment.held))
    return accumulate_products(x, zero, w, held_zero, depthwise=segment.depthwise).transpose(1, 0, 2, 3)


def _fits(where: str, what: str, low: NDArray[np.int64], high: NDArray[np.int64], bits: int) -> None:
    """Raise unless every channel's range fits ``bits`` bits of two's complement."""
    limit = 1 << (bits - 1)
    wrong = np.flatnonzero((low < -limit) | (high >= limit))
    if len(wrong):
        channel = int(wrong[0])
        value = low[channel] if low[channel] < -limit else high[channel]
        raise WidthError(f"{where}, channel {channel}: {what} {value} does not fit {bits} bits")
