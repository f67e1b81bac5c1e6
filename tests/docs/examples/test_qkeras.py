"""QKeras' digits: trained for a moment, every code of the scores is QKeras' own."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
pytest.importorskip("tf_keras", reason="pip install 'narrows[qkeras]'")
pytest.importorskip("qkeras", reason="pip install 'narrows[qkeras]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's and QKeras' own


def test_the_example() -> None:
    from qkeras_digits import run  # pyright: ignore[reportMissingImports]

    outcome = run(epochs=6, samples=100)
    assert outcome.codes == 1000 and outcome.differing == 0
    assert outcome.engines_agree
    assert outcome.narrows == outcome.qkeras > 0.3
