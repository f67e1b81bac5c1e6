"""Grids and steps of QKeras' quantisers, asked of objects that have its names: QKeras' formulas are in the comments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrows.sw.api.hgq_quantisers import FixedPoint
from narrows.sw.api.qkeras_quantisers import grid_of, weights_of
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.grids import Rounding

BITS = {"bits": 4, "integer": 1, "keep_negative": True, "symmetric": 0, "alpha": None}
RELU = {
    "bits": 4, "integer": 1, "use_sigmoid": 0, "negative_slope": 0, "relu_upper_bound": None, "is_quantized_clip": True,
}  # fmt: skip


def quantiser(kind: str, given: Any = None, **attributes: Any) -> Any:
    made = type(kind, (), {"__call__": lambda self, values: given})()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("kind", "attributes", "step", "bits", "signed", "narrow"),
    [
        ("quantized_bits", BITS, 0.25, 4, True, False),  # m_i / m = 2**1 / 2**3, from -m to m - 1
        ("quantized_bits", BITS | {"symmetric": 1}, 0.25, 4, True, True),  # from 1 - m
        ("quantized_bits", BITS | {"keep_negative": False}, 0.125, 4, False, False),  # m = 2**4, from 0
        ("quantized_bits", BITS | {"alpha": 0.3}, 0.3 * 0.25, 4, True, False),
        ("quantized_bits", BITS | {"bits": 1}, 1.0, 1, True, False),  # the sign, of no width
        ("quantized_relu", RELU, 0.125, 4, False, False),
        ("quantized_relu", RELU | {"relu_upper_bound": 6, "is_quantized_clip": False}, 0.125, 4, False, False),
        ("binary", {"use_01": False, "alpha": 0.5}, 0.5, 1, True, False),
    ],
)
def test_grids(kind: str, attributes: dict[str, Any], step: float, bits: int, signed: bool, narrow: bool) -> None:
    found = grid_of(quantiser(kind, **attributes), "q")
    wanted = FixedPoint(step, bits, signed, narrow, Rounding.EVEN)
    assert vars(found) == pytest.approx(vars(wanted))


@pytest.mark.parametrize(
    ("kind", "attributes", "says"),
    [
        (
            "quantized_relu",
            RELU | {"relu_upper_bound": 1.5, "is_quantized_clip": False},
            "ends at 1.5, within its bits",
        ),
        ("quantized_relu", RELU | {"use_sigmoid": 1}, "has a sigmoid or a negative slope"),
        ("quantized_relu", RELU | {"integer": np.array([0, 1])}, "has a range for each channel"),
        ("quantized_bits", BITS | {"alpha": "auto"}, "scales each input anew"),
        ("quantized_bits", BITS | {"alpha": np.array([1.0, 2.0])}, "has more than one alpha"),
        ("quantized_bits", BITS | {"alpha": -1.0}, "has more than one alpha, or one that is not positive"),
        ("quantized_bits", BITS | {"qnoise_factor": 0.5}, "mixes rounded with unrounded values"),
        ("quantized_tanh", {"bits": 4}, "is a quantized_tanh, of which no grid is known"),
        ("binary", {"use_01": True, "alpha": 1.0}, "is a binary, of which no grid is known"),
    ],
)
def test_what_is_no_grid_is_refused(kind: str, attributes: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedOperator, match=f"quantiser of 'q' {says}"):
        grid_of(quantiser(kind, **attributes), "q")


def test_weights_are_rid_of_what_float32_put_beside_them() -> None:
    scale = np.array([[0.3, 0.7]], dtype=np.float32)
    integers = np.array([[7, -3], [-7, 0], [1, 7]])
    given = (integers * (scale * 0.25)).astype(np.float32)
    dirty = given + np.float32(1e-7) * np.array([[1, -1], [-1, 1], [1, 1]], dtype=np.float32)
    weights, steps = weights_of(quantiser("quantized_bits", dirty, **BITS, scale=scale), given, "kernel")
    np.testing.assert_array_equal(steps, scale * np.float32(0.25))
    np.testing.assert_array_equal(np.rint(weights / steps), integers)
    np.testing.assert_allclose(weights, given, rtol=1e-6)


@pytest.mark.parametrize("kind", ["binary", "ternary", "stochastic_ternary"])
def test_two_and_three_values_are_steps_themselves(kind: str) -> None:
    scale = np.array([[0.3, 0.7]])
    given = np.array([[1, -1], [-1, 1]]) * scale
    weights, steps = weights_of(quantiser(kind, given, scale=scale), given, "kernel")
    np.testing.assert_allclose(weights, given, rtol=1e-6)
    np.testing.assert_allclose(steps, scale, rtol=1e-6)


def test_powers_of_two_have_the_smallest_as_step() -> None:
    given = np.array([[0.5, -0.25], [-2.0, 0.5]]) + 1e-8
    weights, steps = weights_of(quantiser("quantized_po2", given), given, "kernel")
    np.testing.assert_array_equal(steps, [[0.5, 0.25]])
    np.testing.assert_array_equal(weights[:1], [[0.5, -0.25]])


def test_weights_between_steps_are_refused() -> None:
    given = np.array([[0.25, 0.3]])
    with pytest.raises(UnsupportedOperator, match="quantiser of 'kernel' gives weights that are no multiples"):
        weights_of(quantiser("quantized_bits", given, **BITS, scale=1.0), given, "kernel")
    with pytest.raises(UnsupportedOperator, match="weights through a quantized_tanh have no step"):
        weights_of(quantiser("quantized_tanh", given), given, "kernel")
