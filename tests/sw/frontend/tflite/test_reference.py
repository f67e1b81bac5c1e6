"""LiteRT's kernels on files made on the spot: real values in, real values out."""

import numpy as np
import pytest
import tflite
from narrows.sw.errors import InputError
from narrows.sw.frontend import import_model
from narrows.sw.frontend.tflite import has_litert, is_hybrid, run_litert
from narrows.sw.reference import judge
from tflite_builder import Op, Tensor, tflite_bytes

pytestmark = pytest.mark.skipif(not has_litert(), reason="LiteRT is an extra")


def halved(tmp_path):
    """Averages of two pixels, then the same codes on a coarser grid."""
    pool = {"Padding": tflite.Padding.VALID, "StrideH": 1, "StrideW": 2, "FilterHeight": 1, "FilterWidth": 2}
    tensors = [
        Tensor(name="x", shape=(1, 1, 4, 1), scale=[0.5], zero=[-3]),
        Tensor(name="mean", shape=(1, 1, 2, 1), scale=[0.5], zero=[-3]),
        Tensor(name="y", shape=(1, 1, 2, 1), scale=[1.0], zero=[2]),
    ]
    ops = [
        Op(kind=tflite.BuiltinOperator.AVERAGE_POOL_2D, inputs=(0,), output=1, options=("Pool2DOptions", pool)),
        Op(kind=tflite.BuiltinOperator.QUANTIZE, inputs=(1,), output=2),
    ]
    path = tmp_path / "halved.tflite"
    path.write_bytes(tflite_bytes(tensors, ops, [0], [2]))
    return path


def test_integers_are_real_values(tmp_path):
    x = np.array([[1.0, 2.0, 4.0, 6.0], [0.4, 1.1, -2.0, -2.0]]).reshape(2, 1, 4, 1)
    values = run_litert(halved(tmp_path), x, every=True)
    assert list(values) == ["x", "mean", "y"]
    np.testing.assert_array_equal(values["x"].reshape(2, 4), [[1, 2, 4, 6], [0.5, 1, -2, -2]])
    np.testing.assert_array_equal(values["mean"].reshape(2, 2), [[1.5, 5], [0.5, -2]])  # codes round away from 0
    np.testing.assert_array_equal(values["y"].reshape(2, 2), [[2, 5], [1, -2]])
    assert list(run_litert(halved(tmp_path), x)) == ["y"]


def test_samples_that_do_not_fit_are_an_error(tmp_path):
    with pytest.raises(InputError, match=r"^LiteRT does not run ") as caught:
        run_litert(halved(tmp_path), np.zeros((1, 7)))
    assert "\n" not in str(caught.value)


def test_weights_of_integers_beside_float_values_are_told(tmp_path):
    codes = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    tensors = [
        Tensor(name="x", shape=(1, 4), kind=0),
        Tensor(name="w", shape=(3, 4), data=codes, scale=[0.1], zero=[0]),
        Tensor(name="y", shape=(1, 3), kind=0),
    ]
    path = tmp_path / "hybrid.tflite"
    op = Op(kind=tflite.BuiltinOperator.FULLY_CONNECTED, inputs=(0, 1, -1), output=2)
    path.write_bytes(tflite_bytes(tensors, [op], [0], [2]))
    assert is_hybrid(path) and not is_hybrid(halved(tmp_path))
    verdict = judge(path, import_model(path))
    assert (verdict.runtime, verdict.note) == (
        "",
        "LiteRT rounds activations beside weights of integers, anew for each sample",
    )
