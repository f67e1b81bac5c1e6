"""Multiply-accumulate layers in training: weights, biases and gains as the integers that the machine will use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....hw.spec.config import AcceleratorConfig
from ....hw.spec.formats import Format
from ...layers import Mac
from ...quantised import MacLayer, QuantisedTensor
from ..search import CONSTANT_LEVEL, cheap_constants
from .norms import Room, Spans, centred, fitted, norm, normalised, project
from .rescaler import Gain, gains
from .rounding import nearest, straight_through, toward_zero
from .settings import TrainSettings
from .tensor import Clamped

__all__ = ["ConstantMac", "Operands", "TrainedMac"]

_CONSTANT_SHARE = 0.75
"""Constant weights (skip connections) may take so much of the accumulator at most."""

_EDGE = 0.35
"""Weights start so far inside the interval that is rounded to their first level, as a part of it.

Post-training quantisation chooses levels whose errors cancel, often not the nearest. Weights that started at the edge
of such an interval would leave it by the mere noise of gradients.
"""

_STRETCHES = 2.0 ** (np.arange(17) / 16)
"""What projected weights are tried to be multiplied by, to make up for rounding toward zero."""


@dataclass(frozen=True)
class Operands:
    """Integers of one forward pass, float64: levels of each term's weights, and biases of sums of *offsets*.

    An offset is a level less its tensor's zero level. ``excess`` is what the penalty is made of, ``unrest`` the mean
    square distance of weights from the levels that they are rounded to.
    """

    weights: tuple[Tensor, ...]
    bias: Tensor
    gain: Gain
    excess: Tensor
    unrest: Tensor


class ConstantMac(nn.Module):
    """A layer of constant weights alone (an average, a sum): it stays as post-training quantisation made it.

    Parameters
    ----------
    start : MacLayer
    sources : sequence of QuantisedTensor
        Of each term, as ``start`` was made for.
    """

    def __init__(self, start: MacLayer, sources: Sequence[QuantisedTensor]) -> None:
        super().__init__()
        self._weights = tuple(torch.tensor(segment.weights).double() for segment in start.segments)
        self._bias = torch.tensor(_bias_of_offsets(start, sources)).double()
        self._multiplicand, self._shift = torch.tensor(start.multiplicand), torch.tensor(start.shift)

    def operands(self, sources: Sequence[Clamped], drained: Clamped) -> Operands:
        """The same in every pass."""
        real = self._multiplicand.double() * torch.exp2(-self._shift.double())
        gain = Gain(real, real * drained.scale, self._multiplicand, self._shift)
        return Operands(self._weights, self._bias, gain, real.new_zeros(()), real.new_zeros(()))


class TrainedMac(nn.Module):
    """Parameters of a layer with learned weights.

    Weights are learned in the levels that they start from, biases in levels of the output, scales in octaves: one
    learning rate suits all layers.

    Parameters
    ----------
    layer : Mac
        Of the lowered float graph.
    start : MacLayer
        Its quantised form.
    sources : sequence of QuantisedTensor
        Of each term, as ``start`` was made for.
    drained : QuantisedTensor
        What sums are rounded to: the output, or the integers that are looked up.
    fmt : Format
        Of the learned weights.
    config : AcceleratorConfig
    settings : TrainSettings
    """

    def __init__(
        self,
        layer: Mac,
        start: MacLayer,
        sources: Sequence[QuantisedTensor],
        drained: QuantisedTensor,
        fmt: Format,
        config: AcceleratorConfig,
        settings: TrainSettings,
    ) -> None:
        super().__init__()
        self.layer, self.fmt, self.config, self.settings = layer, fmt, config, settings
        self.seen: tuple[Tensor, Tensor] | None = None
        """Levels of the last pass, and what weights were multiplied by to become them, both (O, K)."""
        self._limit = (1 << ((settings.acc_bits or config.acc_bits) - 1)) - 1
        self._scales, self._output_scale = [tensor.scale for tensor in sources], drained.scale
        self._learned = [index for index, term in enumerate(layer.terms) if not term.constant]
        self._sizes = [layer.terms[index].weights[0].size for index in self._learned]
        self._groups = torch.repeat_interleave(torch.arange(len(self._sizes)), torch.tensor(self._sizes))
        gain = torch.tensor(start.multiplicand).double() * torch.exp2(-torch.tensor(start.shift).double())
        self._unit = gain * drained.scale
        self.octaves = nn.Parameter(torch.zeros(len(layer.bias)))
        self.bias = nn.Parameter((torch.tensor(_bias_of_offsets(start, sources)) * gain).float())
        levels = self._flat([segment.weights for segment in start.segments])
        per_unit = [scale / self._unit.numpy() for scale in self._scales]
        real = self._flat(
            [
                term.weights * factor[:, np.newaxis, np.newaxis, np.newaxis]
                for term, factor in zip(layer.terms, per_unit, strict=True)
            ]
        )
        if settings.accumulator in ("a2q", "a2q+"):
            self._start_with_norms(real, start, [tensor.span for tensor in sources])
        else:
            self.rows = nn.Parameter(_inside(levels, real, fmt).float())

    def _start_with_norms(self, real: Tensor, start: MacLayer, spans: list[tuple[int, int]]) -> None:
        constants = {
            index: torch.tensor(start.segments[index].weights).double()
            for index, term in enumerate(self.layer.terms)
            if term.constant
        }
        of_columns, room = self._spans(spans), self._room(constants, spans)
        if self.zero_centred:
            real = centred(real, self._groups)
        reach = norm(torch.eye(len(self._groups)).double(), of_columns, zero_centred=self.zero_centred)
        limit = room.least.clamp(min=1.0)
        projected = _stretched(project(real, reach.clamp(min=1e-3), limit), reach, limit, self.fmt)
        length = norm(projected, of_columns, zero_centred=self.zero_centred).clamp(min=1e-3)
        self.rows, self.length = nn.Parameter(projected.float()), nn.Parameter(torch.log2(length).float())

    @property
    def zero_centred(self) -> bool:
        """Whether the weights of each term are (A2Q+); those of depthwise layers are not."""
        depthwise = any(self.layer.terms[index].depthwise for index in self._learned)
        return self.settings.accumulator == "a2q+" and not depthwise

    def operands(self, sources: Sequence[Clamped], drained: Clamped) -> Operands:
        """What the layer computes with, given its tensors as they are in this forward pass."""
        unit = self._unit * torch.exp2(self.octaves.double())
        gain = gains(unit, drained.scale, self.config, self.settings.rescaling)
        spans = [source.span for source in sources]
        constants = self._constants([float(source.scale.detach()) for source in sources], spans, gain)
        ratios = torch.stack([self._unit / gain.unit * (sources[i].scale / self._scales[i]) for i in self._learned], 1)
        factors = ratios[:, self._groups]
        wanted = self.rows.double() * factors
        levels, excess = self._levels(wanted, ratios[:, 0], self._spans(spans), self._room(constants, spans))
        self.seen = levels.detach(), factors.detach()
        inside = wanted.clamp(self.fmt.bottom, self.fmt.top)
        unrest = (inside - self.seen[0]).square().mean() if self.settings.damping else excess.new_zeros(())
        parts = torch.split(levels, self._sizes, dim=1)
        learned = {
            i: part.reshape(self.layer.terms[i].weights.shape) for i, part in zip(self._learned, parts, strict=True)
        }
        weights = tuple((constants | learned)[index] for index in range(len(self.layer.terms)))
        reach = max(max(-low, high) for low, high in spans)
        bias, beyond = self._rounded_bias(weights, sources, gain), (excess * gain.unit).sum() / reach
        return Operands(weights, bias, gain, beyond, unrest)

    @torch.no_grad()
    def hold(self, which: Tensor, levels: Tensor, ratios: Tensor) -> None:
        """Put weights where ``which`` (O, K) says onto the levels nearest to ``levels``."""
        self.rows.copy_(torch.where(which, nearest(levels, self.fmt) / ratios, self.rows.double()))

    def real_weights(self) -> dict[int, Tensor]:
        """Learned weights by term, in the units of the float layer's."""
        units = torch.stack([self._unit / self._scales[i] for i in self._learned], 1)
        parts = torch.split(self.rows.detach().double() * units[:, self._groups], self._sizes, dim=1)
        shapes = [self.layer.terms[i].weights.shape for i in self._learned]
        return {i: part.reshape(shape) for i, part, shape in zip(self._learned, parts, shapes, strict=True)}

    def real_bias(self) -> Tensor:
        """Learned biases, in the units of the float layer's."""
        return self.bias.detach().double() * self._output_scale

    @torch.no_grad()
    def correct_bias(self, wanted: Tensor, means: Tensor, gain: Gain) -> None:
        """Choose biases (O,) that give sums with ``means``, in accumulator units, the real means ``wanted``."""
        self.bias.copy_((wanted - means * gain.unit) / self._output_scale)

    def _levels(self, rows: Tensor, ratio: Tensor, spans: Spans, room: Room) -> tuple[Tensor, Tensor]:
        nothing = torch.zeros(len(rows), dtype=rows.dtype)
        match self.settings.accumulator:
            case "free":
                wanted = rows.clamp(self.fmt.bottom, self.fmt.top)
                return straight_through(nearest(wanted.detach(), self.fmt), wanted), nothing
            case "fitted":
                return fitted(rows, spans, room, self.fmt), nothing
        lengths = torch.exp2(self.length.double()) * ratio
        return normalised(rows, lengths, self._groups, spans, room, self.fmt, zero_centred=self.zero_centred)

    def _constants(self, scales: list[float], spans: list[tuple[int, int]], gain: Gain) -> dict[int, Tensor]:
        """Levels of constant terms on this pass's scales; they have no gradient of their own."""
        digits, constants = self.config.weight_digits, {}
        unit = gain.unit.detach().numpy()
        for index, term in enumerate(self.layer.terms):
            if term.constant:
                wanted = term.weights[:, 0, 0, 0] * scales[index] / unit
                levels = cheap_constants(wanted, digits, digits.count(CONSTANT_LEVEL))
                most = int(
                    _CONSTANT_SHARE * self._limit / (max(-spans[index][0], spans[index][1]) * term.weights[0].size)
                )
                shape = np.clip(levels, -most, most)[:, np.newaxis, np.newaxis, np.newaxis]
                constants[index] = torch.tensor(np.broadcast_to(shape, term.weights.shape).copy()).double()
        return constants

    def _rounded_bias(self, weights: Sequence[Tensor], sources: Sequence[Clamped], gain: Gain) -> Tensor:
        """Integers that still fit the bias's width when the program's bias takes in the zero levels."""
        real = self.bias.double() * self._output_scale / gain.unit
        zeros = _zero_sums([w.detach() for w in weights], [float(source.zero.detach()) for source in sources])
        limit = 1 << (self.config.bias_width - 1)
        rounded = torch.minimum(torch.maximum(torch.round(real.detach()), zeros - limit), zeros + limit - 1)
        return straight_through(rounded, real)

    def _spans(self, spans: Sequence[tuple[int, int]]) -> Spans:
        low, high = (torch.tensor([float(spans[i][side]) for i in self._learned]).double() for side in (0, 1))
        return Spans(low[self._groups], high[self._groups])

    def _room(self, constants: dict[int, Tensor], spans: Sequence[tuple[int, int]]) -> Room:
        channels = len(self.layer.bias)
        high = torch.full((channels,), float(self._limit)).double()
        low = high + 1
        for index, levels in constants.items():
            flat = levels.reshape(channels, -1)
            ends = torch.tensor(spans[index]).double()
            most, least = Spans(ends[0].expand(flat.shape[1]), ends[1].expand(flat.shape[1])).sides(flat)
            high, low = high - most, low - least
        return Room(high, low)

    def _flat(self, weights: Sequence[NDArray]) -> Tensor:
        parts = [torch.tensor(weights[index]).double().reshape(len(weights[index]), -1) for index in self._learned]
        return torch.cat(parts, dim=1)


def _bias_of_offsets(start: MacLayer, sources: Sequence[QuantisedTensor]) -> NDArray[np.int64]:
    """A program's biases without the zero levels of the sources."""
    sums = [
        segment.weights.reshape(len(start.bias), -1).sum(1) * t.zero
        for segment, t in zip(start.segments, sources, strict=True)
    ]
    return start.bias + np.sum(sums, axis=0)


def _zero_sums(weights: Sequence[Tensor], zeros: Sequence[float]) -> Tensor:
    """Sum over all terms of zero level times weights, by channel."""
    return torch.stack([w.reshape(len(w), -1).sum(1) * zero for w, zero in zip(weights, zeros, strict=True)]).sum(0)


def _stretched(rows: Tensor, reach: Tensor, limit: Tensor, fmt: Format) -> Tensor:
    """Rows (O, K), longer by the factor at which rounding toward zero comes nearest to them, within a limit (O,)."""
    best, least = rows, torch.full((len(rows),), torch.inf, dtype=rows.dtype)
    most = limit / (rows.abs() @ reach).clamp(min=1e-12)
    for stretch in _STRETCHES:
        longer = rows * most.clamp(max=float(stretch))[:, None]
        error = (toward_zero(longer, fmt) - rows).square().sum(1)
        best = torch.where((error < least)[:, None], longer, best)
        least = torch.minimum(error, least)
    return best


def _inside(levels: Tensor, real: Tensor, fmt: Format) -> Tensor:
    """Real weights, moved into the intervals that are rounded to given levels."""
    table = torch.tensor(fmt.levels).double()
    middles = (table[1:] + table[:-1]) / 2
    index = torch.searchsorted(table, levels)
    low = torch.cat([table[:1], middles])[index]
    high = torch.cat([middles, table[-1:]])[index]
    edge = _EDGE * (high - low)
    return torch.minimum(torch.maximum(real, low + edge), high - edge)
