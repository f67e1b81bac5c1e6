"""Activation functions in torch: values are those of `sw.curves`, gradients those of the values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from narrows.sw.curves import Function, X
from narrows.sw.quantize.train.functions import OPERATORS, function

VALUES = np.linspace(-3.05, 3.05, 62)  # between the steps and kinks
OPERANDS = {
    "add": (X, 1.5),
    "sub": (1.5, X),
    "mul": (X, -2.5),
    "clip": (X, -1.0, 2.0),
    "pow": (X, 3.0),
    "quantise": (X, 0.5, 1.0, -2.0, 4.0),
    "elu": (X, 0.7),
    "thresholdedrelu": (X, 0.8),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_values_are_those_of_the_curve(operator: str) -> None:
    curve = Function(operator, OPERANDS.get(operator, (X,)))
    found = function(curve, torch.from_numpy(VALUES))
    np.testing.assert_allclose(found.numpy(), curve(VALUES), rtol=1e-12, atol=1e-12)


def test_functions_of_functions_pass_gradients() -> None:
    curve = Function("sub", (Function("mul", (X, X)), Function("tanh", (X,))))
    x = torch.from_numpy(VALUES).requires_grad_()
    function(curve, x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * VALUES - 1 + np.tanh(VALUES) ** 2, rtol=1e-12, atol=1e-12)
