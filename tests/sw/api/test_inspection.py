"""What samples show of a program."""

from __future__ import annotations

import json

import narrows
import numpy as np
import pytest
from narrows.sw.api.inspection import inspected, spreads_of
from narrows.sw.errors import InputError


def test_right_answers_and_errors(digits: narrows.Example, program: narrows.Program) -> None:
    x, y = digits.x[:40], digits.y[:40]
    found = inspected(program, x, y, program.model)
    assert found["count"] == 40
    assert found["accuracy"] == program.run(x).accuracy(y)
    assert found["quality"]["accuracy"] == found["accuracy"]
    assert found["float_accuracy"] == found["quality"]["float_accuracy"]
    layers = [each["layer"] for each in found["errors"]["layers"]]
    assert layers == ["(input)", *(layer.name for layer in program.graph.layers if layer.name in layers)]
    assert sum(each["share"] for each in found["errors"]["layers"]) == pytest.approx(1, abs=0.01)
    assert all(each["weights"] is not None for each in found["errors"]["layers"] if each["layer"] != "(input)")
    json.dumps(found)


def test_without_labels_and_model(digits: narrows.Example, program: narrows.Program) -> None:
    found = inspected(program, digits.x[:8], None, None)
    assert found["accuracy"] is found["float_accuracy"] is found["quality"] is None
    assert all(each["weights"] is None for each in found["errors"]["layers"])
    assert not found["errors"]["beside_float"]


def test_samples_and_labels_must_fit(digits: narrows.Example, program: narrows.Program) -> None:
    with pytest.raises(InputError, match="must have the shape N x 1 x 8 x 8"):
        inspected(program, np.zeros((3, 1, 9, 9)), None, None)
    with pytest.raises(InputError, match="label"):
        inspected(program, digits.x[:3], np.array([1, 2, 10]), None)


def test_only_as_many_samples_as_memory_holds(digits: narrows.Example, program: narrows.Program) -> None:
    count, found = spreads_of(program.compiled, np.repeat(digits.x[:10], 60, axis=0))
    assert count == 512
    assert {each.name for each in found} == set(program.graph.tensors)
