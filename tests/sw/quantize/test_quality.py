"""Integers beside floats: shares, decibels and steps are what a reader works out by hand; labels are class numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from narrows.hw.spec.formats import Int
from narrows.sw.errors import InputError
from narrows.sw.heads import HostFunction
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec, QuantisedGraph, QuantisedTensor
from narrows.sw.quantize.quality import checked_labels, quality_of

SCORES = Output.whole("scores", (3,))
SIGMOID = HostFunction(kind="curve", attributes={"function": ["sigmoid", ["x"]]}, operator="Sigmoid", node="s")


def graph(output: Output = SCORES, size: int = 3, scale: float = 0.5, zero: int = 1) -> QuantisedGraph:
    tensor = QuantisedTensor(
        name="scores", shape=(size, 1, 1), format=Int(8), scale=scale, zero=zero, low=-127, high=127
    )
    return QuantisedGraph(
        name="m", tensors={"scores": tensor}, input=InputSpec(tensor="x", shape=(1,)), layers=(), outputs=(output,)
    )


def column(*rows: tuple[float, ...], dtype: type = np.float64) -> np.ndarray:
    return np.array(rows, dtype=dtype)[:, :, np.newaxis, np.newaxis]


def test_figures_are_those_worked_out_by_hand() -> None:
    floats = column((1.0, 0.0, -1.0), (0.0, 2.0, 0.0))
    levels = column((3, 1, -1), (6, 5, 1), dtype=np.int64)  # 1, 0, -1 and 2.5, 2, 0
    found = quality_of(graph(), {"scores": floats}, {"scores": levels}, np.array([0, 0]))
    (output,) = found.outputs
    assert found.samples == 2
    assert output.name == "scores"
    assert output.agreement == 0.5
    assert output.largest_error == 5.0
    assert output.snr_db == round(10 * math.log10(6 / 6.25), 2)
    assert (found.float_accuracy, found.accuracy) == (0.5, 1.0)


def test_no_difference_has_no_noise() -> None:
    found = quality_of(graph(), {"scores": column((1.0, 0.0, -1.0))}, {"scores": column((3, 1, -1), dtype=np.int64)})
    (output,) = found.outputs
    assert (output.snr_db, output.largest_error, output.agreement) == (None, 0.0, 1.0)
    assert (found.float_accuracy, found.accuracy) == (None, None)


def test_a_single_number_is_no_class_but_behind_a_sigmoid() -> None:
    floats, levels = {"scores": column((0.4,), (-0.4,))}, {"scores": column((0,), (0,), dtype=np.int64)}
    plain = Output.whole("scores", (1,))
    assert quality_of(graph(plain, 1), floats, levels).outputs[0].agreement is None
    squashed = Output(name="p", tensor="scores", shape=(1,), head=(SIGMOID,))
    found = quality_of(graph(squashed, 1), floats, levels, np.array([1, 0]))
    assert found.outputs[0].agreement == 0.5
    assert (found.float_accuracy, found.accuracy) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.array(["cat", "dog"]), "labels y must be class numbers, not text: number the classes from 0"),
        (np.array([0.0, np.nan]), "labels y hold NaN or infinity: give class numbers, from 0"),
        (np.array([0.0, 0.5]), "labels y must be class numbers, 0.5 is none: number the classes from 0"),
        (np.array([-1, 1]), "labels y are -1 to 1, output 'scores' names classes 0 to 2"),
        (np.array([7, 1]), "labels y are 1 to 7, output 'scores' names classes 0 to 2"),
        (
            np.array([3, 1]),
            "labels y go up to 3, output 'scores' names classes 0 to 2: they seem to count from 1, subtract 1",
        ),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: np.ndarray, complaint: str) -> None:
    with pytest.raises(InputError) as error:
        checked_labels((SCORES,), labels)
    assert str(error.value) == complaint


def test_whole_numbers_in_floats_are_labels() -> None:
    labels, strange = checked_labels((SCORES,), np.array([2.0, 0.0]))
    assert labels.tolist() == [2, 0]
    assert labels.dtype == np.int64
    assert strange == []


def test_labels_without_a_zero_are_strange_where_there_are_many() -> None:
    assert checked_labels((SCORES,), np.array([1, 2] * 14))[1] == []
    assert checked_labels((SCORES,), np.array([1, 2] * 15))[1] == ["no label is 0 among 30: do they count from 1?"]
