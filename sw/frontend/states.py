"""States of ONNX models: inputs that take over, from run to run, what an output gave."""

from __future__ import annotations

from collections.abc import Mapping

import onnx.helper
from onnx import ModelProto, ValueInfoProto

from ..errors import InputError

__all__ = ["STATE", "declare_states", "name_states", "state_inputs"]

STATE = "narrows.state:"
"""Begins keys of a model's metadata: the name of an input follows, the value is the output that it takes over.

An initializer of the input's name, which ONNX takes for a default, is what it holds in the first run; without one all
is 0."""


def state_inputs(model: ModelProto) -> dict[str, str]:
    """Output that each input takes over, by the input's name."""
    return {prop.key.removeprefix(STATE): prop.value for prop in model.metadata_props if prop.key.startswith(STATE)}


def name_states(model: ModelProto, states: Mapping[str, str]) -> None:
    """Let a model's metadata say just these states."""
    others = {prop.key: prop.value for prop in model.metadata_props if not prop.key.startswith(STATE)}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, others | {f"{STATE}{name}": output for name, output in states.items()})


def declare_states(model: ModelProto, states: Mapping[str, str]) -> None:
    """Add states that a user names, by input, to those that the model names itself.

    Raises
    ------
    InputError
        If a name is of no input or output, or shapes are known and differ.
    """
    inputs, outputs = ({value.name: value for value in values} for values in (model.graph.input, model.graph.output))
    known = state_inputs(model)
    for name, output in (known | dict(states)).items():
        if name not in inputs:
            raise InputError(f"the model has no input {name!r} for a state: its inputs are {_listed(inputs)}")
        if output not in outputs:
            raise InputError(f"the model has no output {output!r} for a state: its outputs are {_listed(outputs)}")
        shapes = _shape(inputs[name]), _shape(outputs[output])
        if all(all(shape) for shape in shapes) and shapes[1] and shapes[0] != shapes[1]:
            raise InputError(f"input {name!r} has the shape {shapes[0]}, output {output!r} {shapes[1]}: no state")
    name_states(model, known | dict(states))


def _shape(value: ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _listed(names: Mapping[str, ValueInfoProto]) -> str:
    return ", ".join(map(repr, names))
