"""The example, its program for the smallest core, and samples as files."""

from __future__ import annotations

from pathlib import Path

import narrows
import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits() -> narrows.Example:
    return narrows.example()


@pytest.fixture(scope="session")
def program(digits: narrows.Example) -> narrows.Program:
    return digits.model.quantize(digits.calib[:64]).compile("tiny", data=(digits.x[:40], digits.y[:40]))


@pytest.fixture
def archive(tmp_path: Path, digits: narrows.Example) -> Path:
    path = tmp_path / "x.npz"
    np.savez(path, x=digits.x[:40], y=digits.y[:40])
    return path
