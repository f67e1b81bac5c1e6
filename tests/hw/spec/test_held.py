"""Words latched as a held word: one a row, no more than there are columns, in as many steps as that takes."""

from __future__ import annotations

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.held import latch_steps, latched_rows


@pytest.mark.parametrize(
    ("rows", "columns", "words", "steps"), [(4, 4, 4, 1), (4, 2, 2, 1), (2, 4, 2, 2), (3, 8, 3, 3), (1, 8, 1, 8)]
)
def test_a_step_latches_a_word_a_row_but_none_without_a_column(rows: int, columns: int, words: int, steps: int) -> None:
    config = AcceleratorConfig(rows=rows, columns=columns, rescalers=1)
    assert (latched_rows(config), latch_steps(config)) == (words, steps)
