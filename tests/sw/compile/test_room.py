"""check_room names everything that is lacking, by how much, and what to do."""

from __future__ import annotations

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile.room import check_room
from narrows.sw.errors import CapacityError

CONFIG = AcceleratorConfig(blocks=64, tables=0)


def test_what_fits_is_silent() -> None:
    check_room(CONFIG, {("blocks", "blocks"): 64, ("tables of levels", "tables"): 0})


def test_all_that_is_lacking_is_named() -> None:
    with pytest.raises(CapacityError) as raised:
        check_room(
            CONFIG, {("blocks", "blocks"): 65, ("taps", "taps"): 9, ("words of activation memory", "act_words"): 5000}
        )
    assert str(raised.value) == (
        "together the programs need 65 blocks, the configuration has 64 (1 too few): raise blocks to 65; "
        "together the programs need 5000 words of activation memory, the configuration has 4096 (904 too few): "
        "raise act_words to 8192"
    )
    assert [(one.parameter, one.enough) for one in raised.value.shortages] == [("blocks", 65), ("act_words", 8192)]


def test_what_no_core_has_is_told_otherwise() -> None:
    with pytest.raises(CapacityError, match=r"\(1000 too few\): use fewer layers \(instructions must be 4 to 1024\)$"):
        check_room(AcceleratorConfig(instructions=1024), {("instructions", "instructions"): 2024})
