"""Quantisers of HGQ2, in a Keras model that is being exported, as nodes of QONNX."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedOperator
from ..frontend.op_quant import ROUNDING
from ..grids import Rounding

__all__ = ["QONNX", "FixedPoint", "as_qonnx", "finish", "has_quantisers", "power_steps"]

QONNX = "qonnx.custom_op.general"
_ATTRIBUTE = "narrows"
"""Of a Quant while it is exported: its `Rounding`, which becomes metadata."""

_ROUNDINGS: Mapping[str, Rounding] = {"RND": Rounding.UP, "RND_CONV": Rounding.EVEN, "RND_INF": Rounding.AWAY}
_OVERFLOWS: Mapping[str, bool] = {"WRAP": False, "SAT": False, "SAT_SYM": True}
"""What happens beyond the range: whether that leaves out the smallest integer. Numbers that would wrap are clamped."""

_MOST_BITS, _PARAMETER_BITS = 8, 32


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """What a trained quantiser of activations does.

    Parameters
    ----------
    step : float
        A power of two (times the quantiser's own scaler).
    bits : int
        Of all integers.
    signed, narrow : bool
        Whether integers are signed, and whether these leave out the smallest one.
    rounding : Rounding
    """

    step: float
    bits: int
    signed: bool
    narrow: bool
    rounding: Rounding

    @classmethod
    def of(cls, quantiser: Any, name: str) -> FixedPoint:
        """That of an ``hgq.quantizer.Quantizer``; ``name`` is for errors.

        Raises
        ------
        UnsupportedOperator
            If no integers of up to 8 bits, rounded to the nearest, do the same.
        """
        inner = quantiser.quantizer
        if not all(hasattr(inner, part) for part in ("kif", "round_mode", "overflow_mode")) or quantiser.affine:
            raise UnsupportedOperator(f"quantiser {name!r} is no plain fixed-point one: train with kif or kbi")
        mode, overflow = inner.round_mode.removeprefix("S_"), inner.overflow_mode
        if mode not in _ROUNDINGS:
            known = ", ".join(_ROUNDINGS)
            raise UnsupportedOperator(f"quantiser {name!r} rounds by {mode}: train with a round_mode of {known}")
        if overflow not in _OVERFLOWS:
            known = ", ".join(_OVERFLOWS)
            raise UnsupportedOperator(f"quantiser {name!r} has overflow_mode {overflow}: train with one of {known}")
        sign, whole, fraction = (_numpy(each) for each in inner.kif)
        whole = np.maximum(whole, -fraction)
        alive = sign + whole + fraction > 0
        if not alive.any():
            raise UnsupportedOperator(f"quantiser {name!r} has no bits left: its layer gives 0 always, leave it out")
        steps = np.exp2(-fraction[alive])
        if not alive.all() or np.ptp(steps):
            raise UnsupportedOperator(
                f"quantiser {name!r} has steps from {steps.min():g} to {steps.max():g}, {int((~alive).sum())} elements "
                "without bits: train with one for the tensor (heterogeneous_axis=(), homogeneous_axis=None)"
            )
        signed = bool(sign.any())
        widths = whole + fraction
        if overflow != "WRAP" and (np.ptp(widths) or np.ptp(sign)):
            raise UnsupportedOperator(
                f"quantiser {name!r} clamps elements to different ranges: train with one for the tensor "
                "(heterogeneous_axis=()), or with overflow_mode WRAP"
            )
        bits = max(int(widths.max()), 1) + signed
        if bits > _MOST_BITS:
            raise UnsupportedOperator(
                f"quantiser {name!r} has {bits} bits: activations may have {_MOST_BITS}, train with fewer (ic, fc, bc)"
            )
        step = float(steps[0]) * float(quantiser.scaler or 1.0)
        rounding = _ROUNDINGS[mode]
        narrow = _OVERFLOWS[overflow] and signed
        return cls(step, bits, signed, narrow, rounding)


def has_quantisers(model: Any) -> bool:
    """Whether a Keras model has layers of HGQ2."""
    return any(type(layer).__module__.split(".")[0] == "hgq" for layer in model._flatten_layers())


def power_steps(values: NDArray[np.floating[Any]], name: str) -> NDArray[np.float32]:
    """The largest power of two for each channel (the last axis) that divides all its values, for others to broadcast.

    Raises
    ------
    UnsupportedOperator
        If a channel's values are no integers of 32 bits then.
    """
    flat = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
    mantissa, exponent = np.frexp(flat)
    integer = np.rint(np.ldexp(mantissa, 24)).astype(np.int64)  # of float32: exact
    lowest = exponent - 24 + np.log2(np.where(integer, integer & -integer, 1)).astype(np.int64)
    largest = np.where(integer == 0, -1000, exponent).max(axis=0)
    finest = np.where(integer == 0, 1000, lowest).min(axis=0)
    finest = np.where(finest == 1000, 0, finest)
    if (largest - finest >= _PARAMETER_BITS - 1).any():
        raise UnsupportedOperator(f"parameters of {name!r} span more than {_PARAMETER_BITS} bits in a channel")
    return np.exp2(finest.astype(np.float64)).astype(np.float32).reshape((1,) * (values.ndim - 1) + (-1,))


@contextlib.contextmanager
def as_qonnx(model: Any, sample: Any) -> Iterator[None]:
    """Within it, an export by torch's tracer writes the model's quantisers as QONNX has them.

    Parameters
    ----------
    model : keras.Model
        On torch.
    sample : tensor, shape (1, ...)
        Any input: what quantisers of weights give is taken from a run.

    Raises
    ------
    UnsupportedOperator
        If a quantiser has no such form.
    """
    from hgq.quantizer import Quantizer  # pyright: ignore[reportMissingImports]

    names, parameters = _named(model)
    original = Quantizer.call
    given: dict[int, NDArray[Any]] = {}
    found: dict[int, FixedPoint] = {}
    used: list[Any] = []

    def recorded(self: Any, inputs: Any, training: Any = None) -> Any:
        outputs = original(self, inputs, training=training)
        if id(self) in parameters:
            given[id(self)] = _numpy(outputs)
        elif not getattr(self.quantizer, "__dummy__", False):
            used.append(self)
        return outputs

    def exported(self: Any, inputs: Any, training: Any = None) -> Any:
        if id(self) in given:
            return _constant(given[id(self)], names[id(self)])
        return _quant(inputs, found[id(self)]) if id(self) in found else inputs

    try:
        Quantizer.call = recorded
        model(sample, training=False)
        found |= {id(each): FixedPoint.of(each, str(names.get(id(each), each.name))) for each in used}
        Quantizer.call = exported
        yield
    finally:
        Quantizer.call = original


def _named(model: Any) -> tuple[dict[int, str], set[int]]:
    """Quantisers' names by their layers', and those that weights and biases go through."""
    names: dict[int, str] = {}
    parameters: set[int] = set()
    for layer in model._flatten_layers():
        if type(layer).__name__ == "QBatchNormalization":
            raise UnsupportedOperator(
                f"{layer.name}: a QBatchNormalization scales integers once more, which has no exact form here: train "
                "without it, or with QBatchNormDense"
            )
        for part, holds in (("kq", True), ("bq", True), ("iq", False), ("oq", False)):
            inside = getattr(layer, f"_{part}", None)
            for each in inside if isinstance(inside, (list, tuple)) else [inside]:
                if each is not None:
                    names[id(each)] = f"{layer.name}.{part}"
                    parameters |= {id(each)} if holds else set()
    return names, parameters


def _constant(values: NDArray[Any], name: str) -> Any:
    """Weights with the steps of their channels; biases as they are, since sums have a finer step than these need."""
    import torch

    tensor = torch.as_tensor(values)
    if name.endswith(".bq"):
        return tensor
    return _node(tensor, power_steps(values, name), _PARAMETER_BITS, True, False, Rounding.EVEN)


def _quant(inputs: Any, form: FixedPoint) -> Any:
    return _node(inputs, form.step, form.bits, form.signed, form.narrow, form.rounding)


def _node(
    values: Any, step: NDArray[np.float32] | float, bits: int, signed: bool, narrow: bool, rounding: Rounding
) -> Any:
    import torch

    def constant(graph: Any, value: Any) -> Any:
        return graph.op("Constant", value_t=torch.as_tensor(value))

    class Quant(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, values: Any) -> Any:
            return values.clone()

        @staticmethod
        def symbolic(graph: Any, values: Any) -> Any:
            scale = constant(graph, np.asarray(step, dtype=np.float32))
            zero, width = constant(graph, np.float32(0)), constant(graph, np.float32(bits))
            kind = {"signed_i": int(signed), "narrow_i": int(narrow), "rounding_mode_s": "ROUND"}
            said = {f"{_ATTRIBUTE}_s": rounding.name}
            output = graph.op(f"{QONNX}::Quant", values, scale, zero, width, **kind, **said)
            output.setType(values.type())
            return output

    return Quant.apply(values)


def finish(proto: Any) -> None:
    """Say roundings of an exported `onnx.ModelProto` where the importer looks for them."""
    for node in proto.graph.node:
        for attribute in [each for each in node.attribute if each.name == _ATTRIBUTE]:
            node.metadata_props.add(key=ROUNDING, value=attribute.s.decode())
            node.attribute.remove(attribute)


def _numpy(values: Any) -> NDArray[Any]:
    from keras import ops  # pyright: ignore[reportMissingImports]

    return np.asarray(ops.convert_to_numpy(values))
