"""Records of the instruction set as gates see them."""

from __future__ import annotations

import pytest
from amaranth.hdl import Const
from narrows.hw.cells.records import record_layout
from narrows.hw.spec.isa import BLOCK, COMPUTE, LOAD, TAP, Record


@pytest.mark.parametrize("record", [COMPUTE, BLOCK, TAP, LOAD], ids=lambda record: record.name)
def test_fields_lie_where_the_table_says_and_dynamic_ones_are_left_out(record: Record) -> None:
    layout = record_layout(record)
    assert layout.size == 32 * record.words
    assert {name: (field.offset, field.width) for name, field in layout} == {
        field.name: (32 * field.word + field.lsb, field.width) for field in record.fields if not field.dynamic
    }
    word = sum(value << 32 * place for place, value in enumerate(record.encode({})))
    assert Const(word, layout.size).value == word
