"""Keras models of HGQ2: the golden model predicts what Keras predicts, to the bit; what it cannot is refused."""

from __future__ import annotations

from typing import Any

import narrows
import numpy as np
import pytest
from narrows.sw.errors import UnsupportedOperator
from on_torch import keras_on_torch

pytestmark = pytest.mark.filterwarnings("default")  # torch's and Keras' own

X = np.random.default_rng(4).normal(size=(60, 8, 8, 1)).astype(np.float32)


def model(*, activation: str | None = "relu", norm: bool = False, **datalane: Any) -> Any:
    keras = keras_on_torch("hgq")
    from hgq.config import QuantizerConfigScope  # pyright: ignore[reportMissingImports]
    from hgq.layers import QAdd, QBatchNormalization, QConv2D, QDense, QGlobalAveragePooling2D  # pyright: ignore[reportMissingImports]
    from hgq.utils import trace_minmax  # pyright: ignore[reportMissingImports]

    keras.utils.set_random_seed(5)
    whole = {"heterogeneous_axis": (), "homogeneous_axis": None, "i0": 2, "f0": 4} | datalane
    with QuantizerConfigScope(place="datalane", **whole):
        image = keras.Input((8, 8, 1))
        first = QConv2D(4, 3, padding="same", activation=activation)(image)
        if norm:
            first = QBatchNormalization()(first)
        pooled = keras.layers.MaxPooling2D(2)(first)
        added = QAdd()([pooled, QConv2D(4, 3, padding="same", activation=activation)(pooled)])
        mean = QGlobalAveragePooling2D()(QConv2D(6, 3, strides=2)(added))
        net = keras.Model(image, QDense(5, enable_oq=True)(mean))
    rng = np.random.default_rng(6)
    for layer in net._flatten_layers():
        if hasattr(layer, "_b") and hasattr(layer, "kif"):  # widths of weights one by one
            layer._b.assign(rng.integers(3, 8, layer._b.shape).astype(np.float32))
    trace_minmax(net, X)
    return net


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"activation": None},  # ties below 0, in front of a maximum
        {"overflow_mode": "SAT"},
        {"overflow_mode": "SAT_SYM", "f0": 2},
    ],
    ids=str,
)
def test_predictions_are_those_of_keras(how: dict[str, Any]) -> None:
    net = model(**how)
    program = narrows.load(net).quantize(X).compile(narrows.Config("medium", acc_bits=24))
    (ours,) = program.run(X).values()
    theirs = np.asarray(net.predict(X, verbose=0))
    assert np.unique(theirs).size > 10
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"f0": 8}, r"conv2d\w*\.iq' has 1\d bits: activations may have 8"),
        ({"round_mode": "TRN"}, "rounds by TRN: train with a round_mode of RND"),
        ({"norm": True}, "QBatchNormalization scales integers once more"),
    ],
    ids=str,
)
def test_what_has_no_exact_form_is_one_line(how: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedOperator, match=says) as caught:
        narrows.load(model(**how))
    assert "\n" not in str(caught.value)


def test_steps_that_differ_within_a_tensor_are_refused() -> None:
    net = model(heterogeneous_axis=(-1,))
    steps = next(
        layer.iq.quantizer._f
        for layer in net.layers[2:]
        if hasattr(layer, "_iq") and layer.iq.quantizer._f.shape[-1] > 1
    )
    values = np.full(steps.shape, 4.0, dtype=np.float32)
    values[..., 0] = 2
    steps.assign(values)
    with pytest.raises(UnsupportedOperator, match=r"has steps from 0\.0625 to 0\.25, 0 elements without bits"):
        narrows.load(net)


def test_parameters_have_the_largest_steps_that_divide_them() -> None:
    from narrows.sw.api.hgq_quantisers import power_steps

    values = np.array([[0.75, 0.0, -96.0], [-0.5, 0.0, 32.0]], dtype=np.float32)
    np.testing.assert_array_equal(power_steps(values, "kernel"), [[0.25, 1.0, 32.0]])
    with pytest.raises(UnsupportedOperator, match="more than 32 bits"):
        power_steps(np.array([[1e6], [2.0**-20]], dtype=np.float32), "kernel")
