"""keras_ends: what a model of Keras takes and what it calls what it gives, whichever Keras it is of."""

from __future__ import annotations

from typing import Any

from ..errors import InputError

__all__ = ["input_shape", "output_names"]


def input_shape(model: Any) -> tuple[int, ...]:
    """Shape of a model's only input, without the samples.

    Raises
    ------
    InputError
        If it has not one input of a known shape.
    """
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) != 1 or None in inputs[0].shape[1:]:
        raise InputError(
            f"model {model.name} must have one input of a known shape: give its first layer an input_shape"
        )
    return tuple(map(int, inputs[0].shape[1:]))


def output_names(model: Any) -> list[str]:
    """As Keras has them; a model of one output may be named after its last layer."""
    return list(getattr(model, "output_names", None) or [model.layers[-1].name])
