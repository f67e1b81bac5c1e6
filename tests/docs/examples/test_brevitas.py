"""Brevitas' digits: trained for a moment, every code of the scores is Brevitas' own."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("brevitas", reason="pip install 'narrows[brevitas]'")
pytest.importorskip("onnxoptimizer", reason="pip install 'narrows[brevitas]'")

pytestmark = pytest.mark.filterwarnings("default")  # torch's and Brevitas' own


def test_the_example() -> None:
    from brevitas_digits import run  # pyright: ignore[reportMissingImports]

    outcome = run(epochs=10, samples=100)
    assert outcome.codes == 1000 and outcome.differing == 0
    assert outcome.engines_agree
    assert outcome.narrows == outcome.brevitas > 0.5
