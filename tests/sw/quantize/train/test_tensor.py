"""TrainedTensor: a zero level that is kept from some moment on is a level of the format, and stays it."""

from __future__ import annotations

import pytest
import torch
from narrows.hw.spec.formats import DyBit
from narrows.sw.quantised import QuantisedTensor
from narrows.sw.quantize.train.tensor import TrainedTensor

START = QuantisedTensor(name="x", shape=(4,), format=DyBit(4), scale=0.5, zero=2, low=-16, high=16)


@pytest.mark.parametrize(("learned", "level"), [(2.4, 2), (4.9, 4), (5.1, 6), (9.0, 8)])
def test_a_zero_level_that_is_kept_is_snapped_to_a_level(learned: float, level: int) -> None:
    tensor = TrainedTensor(START, -8.0, 8.0)
    tensor.learn_shift(True)
    assert tensor.shift.requires_grad
    with torch.no_grad():
        tensor.shift.fill_(learned)
    tensor.learn_shift(True)
    assert float(tensor.shift.detach()) == pytest.approx(learned)
    tensor.learn_shift(False)
    assert float(tensor.shift) == level
    assert not tensor.shift.requires_grad
    assert tensor.quantised().zero == level
