"""What a Keras model takes and gives, read from stand-ins: no Keras is needed for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from narrows.sw.api.keras_ends import input_shape, output_names
from narrows.sw.errors import InputError


def model(*shapes: tuple[Any, ...], **more: Any) -> Any:
    return SimpleNamespace(name="net", inputs=[SimpleNamespace(shape=shape) for shape in shapes], **more)


def test_the_shape_is_that_of_a_sample() -> None:
    assert input_shape(model((None, 8, 8, 1))) == (8, 8, 1)


@pytest.mark.parametrize(
    "found", [model(), model((None, 8), (None, 8)), model((None, None, 8)), SimpleNamespace(name="net")]
)
def test_another_input_is_refused_with_what_to_do(found: Any) -> None:
    with pytest.raises(InputError, match="model net must have one input of a known shape: give its first layer"):
        input_shape(found)


def test_outputs_are_named_as_keras_has_them_or_after_the_last_layer() -> None:
    last = [SimpleNamespace(name="first"), SimpleNamespace(name="dense")]
    assert output_names(model(output_names=["a", "b"])) == ["a", "b"]
    assert output_names(model(layers=last)) == ["dense"]
