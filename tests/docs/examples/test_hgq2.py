"""HGQ2's digits: trained for a moment, every score is Keras' own."""

from __future__ import annotations

import pytest
from on_torch import keras_on_torch

pytestmark = pytest.mark.filterwarnings("default")  # torch's and Keras' own


def test_the_example() -> None:
    keras_on_torch("hgq")
    from hgq_digits import run  # pyright: ignore[reportMissingImports]

    outcome = run(epochs=6, samples=100)
    assert outcome.codes == 1000 and outcome.differing == 0
    assert outcome.engines_agree
    assert outcome.narrows == outcome.keras > 0.3
