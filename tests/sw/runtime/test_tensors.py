"""Model input becomes levels, levels become model output."""

import dataclasses

import numpy as np
import pytest
from narrows.sw.errors import InputError
from narrows.sw.heads import HostFunction
from narrows.sw.outputs import Output
from narrows.sw.runtime import clamped_share, prepare_input, restore_outputs


@pytest.fixture
def graph(tiny_program):
    return tiny_program.graph


def test_samples_are_transposed_and_rounded_to_levels(graph):
    x = np.random.default_rng(1).uniform(-1, 6, (4, 5, 6, 3)).astype(np.float32)
    levels = prepare_input(graph, x)
    assert (levels.shape, levels.dtype) == ((4, 3, 5, 6), np.int64)
    tensor = graph.tensors["image"]
    real = x.transpose(0, 3, 1, 2).astype(np.float64) / 0.25 - 4
    candidates = tensor.format.levels[tensor.format.levels >= tensor.low]
    expected = np.abs(real[..., None] - candidates).argmin(axis=-1)
    np.testing.assert_array_equal(levels, candidates[expected])


def test_ties_go_up(graph):
    # x / 0.25 - 4 = 0.5, -0.5, 12 lie halfway between levels 0 and 1, -1 and 0, 8 and 16
    for value, level in ((1.125, 1), (0.875, 0), (4.0, 16)):
        assert (prepare_input(graph, np.full((5, 6, 3), value)) == level).all()


def test_integers_are_taken_as_they_are(graph):
    assert (prepare_input(graph, np.full((1, 5, 6, 3), 2, dtype=np.uint8)) == 4).all()


def test_one_sample_needs_no_batch_axis(graph):
    assert prepare_input(graph, np.zeros((5, 6, 3))).shape == (1, 3, 5, 6)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 3, 5, 6)), r"input must have the shape N x 5 x 6 x 3 \(N samples\), not 2 x 3 x 5 x 6"),
        (np.zeros(90), r"input must have the shape N x 5 x 6 x 3 \(N samples\), not 90"),
        (np.float32(1), r"input must have the shape N x 5 x 6 x 3 \(N samples\), not a single number"),
        (np.zeros((5, 6, 3), dtype=complex), "input must hold real numbers, not complex128: convert it to float32"),
        (np.zeros((5, 6, 3), dtype=bool), "input must hold real numbers, not bool: convert it to float32"),
        (np.full((5, 6, 3), None), "input must hold real numbers, not object: convert it to float32"),
        (np.full((5, 6, 3), np.nan), "input sample 0 holds NaN or infinity: every value must be finite"),
        (np.full((5, 6, 3), -np.inf), "input sample 0 holds NaN or infinity: every value must be finite"),
    ],
)
def test_input_that_does_not_fit_is_refused(graph, x, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        prepare_input(graph, x)


def test_outputs_have_the_shape_of_the_model(graph):
    levels = np.arange(72).reshape(2, 6, 2, 3)
    values = restore_outputs(graph, {"pooled": levels})["pooled"]
    np.testing.assert_array_equal(values, 0.5 * (np.arange(72).reshape(2, 36) + 3))
    np.testing.assert_array_equal(restore_outputs(graph, {"pooled": levels[0]})["pooled"], values[0])


def test_outputs_come_in_the_order_of_the_model(graph):
    order = np.arange(36).reshape(6, 6).T.ravel()[:12]
    softmax = HostFunction(kind="softmax", attributes={"axes": [2]})
    shown = {"tensor": "pooled", "shape": (3, 4), "order": order}
    outputs = Output(name="odds", **shown, head=(softmax,)), Output(name="scores", **shown)
    graph = dataclasses.replace(graph, outputs=outputs)
    levels = np.arange(72).reshape(2, 6, 2, 3)
    scores = 0.5 * (levels.reshape(2, 36)[:, order].reshape(2, 3, 4) + 3)
    odds = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    for raw in (False, True):
        values = restore_outputs(graph, {"pooled": levels}, raw=raw)
        assert list(values) == ["odds", "scores"]
        np.testing.assert_array_equal(values["scores"], scores)
        np.testing.assert_allclose(values["odds"], scores if raw else odds, rtol=1e-12)
        sample = restore_outputs(graph, {"pooled": levels[1]}, raw=raw)
        np.testing.assert_array_equal(sample["odds"], values["odds"][1])


def test_what_lies_beyond_the_inputs_range_is_counted(graph):
    tensor = graph.tensors["image"]
    ends = [tensor.scale * (bound - tensor.zero) for bound in (tensor.low, tensor.high)]
    x = np.full((2, 5, 6, 3), ends[1])
    assert clamped_share(graph, x) == 0.0
    x[0, 0, 0, 0], x[1, 2, 3, 1], x[1, 2, 3, 2] = ends[0] - 2 * tensor.scale, ends[1] + 2 * tensor.scale, ends[0]
    assert clamped_share(graph, x) == 2 / x.size
