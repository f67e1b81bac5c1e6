"""Layers whose weights depend on places: what the compiled program gives is what the golden model gives."""

import pytest
from placed_cases import PLACED_CASES, placed_program


@pytest.mark.parametrize("case", PLACED_CASES)
def test_programs_give_what_the_golden_model_gives(case, tmp_path, check):
    check(placed_program(case, tmp_path), 5)
