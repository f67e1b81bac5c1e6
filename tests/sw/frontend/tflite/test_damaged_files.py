"""Damaged TFLite files are read or refused in one line, never with a traceback; hostile ones are no burden."""

import resource

import numpy as np
import pytest
import tflite
from narrows.sw.errors import ModelError, NarrowsError, UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.frontend.tflite.file import read_tflite
from random_tflite import random_tflite
from tflite_builder import Op, Tensor, tflite_bytes

WORDS = (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0, 1, 1 << 30, 1 << 24)


def damaged(seed):
    rng = np.random.default_rng(seed)
    content = bytearray(random_tflite(seed % 30)[0])
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(8, len(content) - 4))
        match rng.integers(3):
            case 0:
                content[at] = int(rng.integers(256))
            case 1:
                at -= at % 4
                content[at : at + 4] = int(rng.choice(WORDS)).to_bytes(4, "little")
            case _:
                at -= at % 4
                moved = int.from_bytes(content[at : at + 4], "little") + 4 * int(rng.integers(-64, 65))
                content[at : at + 4] = (moved % (1 << 32)).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_damage_is_refused_in_one_line(first, tmp_path):
    path = tmp_path / "model.tflite"
    for seed in range(first, first + 100):
        path.write_bytes(damaged(seed))
        try:
            load_model(path)
        except NarrowsError as error:
            said = str(error)
        else:
            continue
        assert "\n" not in said and len(said) < 1000, f"seed {seed}"


def one_op(kind, shape, output, operands=(), options=None):
    tensors = [Tensor(name="x", shape=shape, kind=0), *operands, Tensor(name="y", shape=output, kind=0)]
    last = len(tensors) - 1
    return tflite_bytes(tensors, [Op(kind=kind, inputs=range(last), output=last, options=options)], [0], [last])


def refusal(tmp_path, content, kind=ModelError):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(kind) as caught:
        load_model(path)
    return str(caught.value)


def integers(values, name="i"):
    data = np.array(values, np.int32)
    return Tensor(name=name, shape=data.shape, data=data, kind=tflite.TensorType.INT32)


def test_huge_shapes_take_no_memory(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = one_op(tflite.BuiltinOperator.RELU, (1, 1 << 15, 1 << 15, 3), (1, 1 << 15, 1 << 15, 3))
    assert refusal(tmp_path, content).endswith("it is damaged (ValueError); convert the model again")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_shapes_that_do_not_follow_are_refused(tmp_path):
    pad = integers([[0, 0], [1, 1], [1, 1], [0, 0]])
    content = one_op(tflite.BuiltinOperator.PAD, (1, 4, 4, 2), (1, 6, 7, 2), [pad], ("PadOptions", {}))
    assert refusal(tmp_path, content) == "operator PAD (node 'y') makes no sense (ValueError): convert the model again"


@pytest.mark.parametrize(
    ("scale", "zero"),
    [((-1.0,), (0,)), ((np.nan,), (0,)), ((0.5,), (0, 0)), ((0.5, 0.5), (1, 2, 3)), ((-1.0,), (0, 0))],
)
def test_scales_and_zero_points_that_fit_nothing_are_refused(tmp_path, scale, zero):
    tensors = [
        Tensor(name="x", shape=(1, 2), scale=scale, zero=zero, axis=1),
        Tensor(name="y", shape=(1, 2), scale=(0.5,), zero=(0,)),
    ]
    relu = Op(kind=tflite.BuiltinOperator.RELU, inputs=(0,), output=1)
    said = refusal(tmp_path, tflite_bytes(tensors, [relu], [0], [1]))
    assert said.endswith("it is damaged (ValueError); convert the model again")


def test_negative_padding_is_refused(tmp_path):
    pad = integers([[0, 0], [-48, 1], [1, 1], [0, 0]])
    content = one_op(tflite.BuiltinOperator.PAD, (1, 4, 4, 2), (1, 1, 6, 2), [pad], ("PadOptions", {}))
    said = "operator PAD (node 'y') is not supported: negative amounts crop: use SLICE"
    assert refusal(tmp_path, content, UnsupportedOperator) == said


def test_variables_without_a_handle_are_refused(tmp_path):
    content = one_op(tflite.BuiltinOperator.READ_VARIABLE, (1, 4), (1, 4))
    assert refusal(tmp_path, content).endswith("nothing writes tensor 'y': convert the model again")


def test_constants_of_one_buffer_share_its_bytes(tmp_path):
    path = tmp_path / "model.tflite"
    weights = Tensor(name="w", shape=(2, 3), data=np.ones((2, 3), np.float32), kind=0)
    options = ("FullyConnectedOptions", {})
    path.write_bytes(one_op(tflite.BuiltinOperator.FULLY_CONNECTED, (1, 3), (1, 2), [weights], options))
    assert read_tflite(path).tensors[1].data.base is not None
