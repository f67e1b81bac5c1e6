"""A slice of bench/doctor_agrees.py: what doctor says of a model on every board is what comes of it."""

from pathlib import Path

import pytest
from doctor_agrees import MADE, verdicts
from narrows.boards.catalogue import BOARDS


@pytest.mark.parametrize("name", ["mlp small", "cnn small", "cnn odd channels", "cnn functions", "enlarger small"])
def test_doctor_and_compile_agree_on_all_boards(name: str, tmp_path: Path) -> None:
    cores = {board: each.config for board, each in BOARDS.items()}
    found = verdicts(name, MADE[name](tmp_path / "model.onnx"), cores, samples=4)
    assert [one.board for one in found] == list(BOARDS)
    assert [one for one in found if not one.agree] == []
    if name == "cnn small":
        assert {bool(one.doctor) for one in found} == {True, False}, "some boards take it and some do not"
