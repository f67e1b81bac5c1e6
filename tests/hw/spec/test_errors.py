"""What is said of a name that nothing has."""

from __future__ import annotations

import pytest
from narrows.hw.spec.errors import among


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tin", "did you mean tiny? The presets are tiny, small, smart"),
        ("smal", "did you mean small or smart? The presets are tiny, small, smart"),
        ("SMAR", "did you mean smart or small? The presets are tiny, small, smart"),
        ("huge", "the presets are tiny, small, smart"),
        (7, "the presets are tiny, small, smart"),
    ],
)
def test_up_to_two_names_like_it_and_all_there_are(name: object, said: str) -> None:
    assert among(name, "presets", ["tiny", "small", "smart"]) == said
