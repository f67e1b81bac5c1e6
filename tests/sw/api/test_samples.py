"""samples_of: samples in every form that users have them in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from narrows.sw.api.samples import MOST, samples_of
from narrows.sw.errors import InputError

SHAPE = (2, 3)
X, Y = np.arange(60.0).reshape(10, 2, 3), np.arange(10)


def forms(folder: Path) -> list[object]:
    np.savez(folder / "x.npz", x=X, y=Y)
    return [
        folder / "x.npz",
        str(folder / "x.npz"),
        (X, Y),
        {"x": X, "y": Y},
        zip(X, Y, strict=True),
        ((X[start : start + 3], Y[start : start + 3]) for start in range(0, 10, 3)),
    ]


@pytest.mark.parametrize("form", range(6))
def test_all_forms_are_the_same_samples(tmp_path: Path, form: int) -> None:
    x, y = samples_of(forms(tmp_path)[form], SHAPE)
    assert np.array_equal(x, X)
    assert y is not None
    assert np.array_equal(y, Y)
    x, y = samples_of(forms(tmp_path)[form], SHAPE, most=4)
    assert y is not None
    assert np.array_equal(x, X[:4])
    assert np.array_equal(y, Y[:4])


@pytest.mark.parametrize("source", [X, list(X), iter(X), iter([X[:7], X[7:]])])
def test_samples_without_labels(source: object) -> None:
    x, y = samples_of(source, SHAPE)
    assert np.array_equal(x, X)
    assert y is None


def test_an_endless_iterator_ends() -> None:
    def endless():
        while True:
            yield X[0]

    assert len(samples_of(endless(), SHAPE)[0]) == MOST


def test_tensors_that_learn_are_samples() -> None:
    torch = pytest.importorskip("torch")
    tensors = [torch.ones(4, 2, 3, requires_grad=True), torch.zeros(1, 2, 3)]
    assert samples_of(iter(tensors), SHAPE)[0].shape == (5, 2, 3)
    assert samples_of(tensors[0], SHAPE)[0].shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (iter(()), "there are no samples"),
        (np.zeros((0, 2, 3)), "holds no samples"),
        ((X, Y[:3]), r"holds labels y of shape \(3,\) for 10 samples"),
        (iter([X[0], X[0, :1]]), r"there are some of \(2, 3\) and of \(1, 3\)"),
    ],
)
def test_what_is_none_is_one_line(source: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        samples_of(source, SHAPE)
