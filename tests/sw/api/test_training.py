"""Training by way of the API: it ends with a program that was judged on samples of its own."""

from __future__ import annotations

from pathlib import Path

import narrows
import pytest
from narrows.sw.errors import InputError

pytest.importorskip("torch")


def test_training_is_said_first_and_done_by_compile(digits: narrows.Example, tmp_path: Path) -> None:
    plan = digits.model.quantize(digits.calib[:32]).train(
        (digits.x[:60], digits.y[:60]), val=(digits.x[60:90], digits.y[60:90]), epochs=1, keep=tmp_path / "m.nrw"
    )
    assert not (tmp_path / "m.nrw").exists()
    program = plan.compile("tiny")
    assert len(program.history["epochs"]) == 2  # one before training
    assert narrows.Program.load(tmp_path / "m.nrw").compiled.to_bytes() == program.compiled.to_bytes()
    assert program.compiled.record["trained"]


def test_samples_that_do_not_fit_are_refused_before_training(digits: narrows.Example) -> None:
    with pytest.raises(InputError, match="labels y"):
        digits.model.quantize(digits.calib[:32]).train((digits.x[:60], digits.y[:50]))
