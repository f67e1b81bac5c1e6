"""Product tables: those that were found are the products' bits, and use what is predecoded."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from narrows.hw.array.tables import CHOICE, ProductTable, predecoded, product_tables
from narrows.hw.spec.formats import Format, parse_format


def _value(tables: Mapping[str, ProductTable], fmt: Format, source: str, codes: dict[str, int]) -> int:
    """An input or a table for codes of ``x`` and ``w``."""
    if source in tables:
        table = tables[source]
        inputs = (_value(tables, fmt, name, codes) for name in table.inputs.split())
        value = table.table >> sum(bit << place for place, bit in enumerate(inputs)) & 1
        return value & (_value(tables, fmt, table.mask, codes) if table.mask else 1)
    code = codes[source[0]]
    if source[1] == ":":
        return code >> int(source[2:]) & 1
    levels = tuple(map(int, source[1:].split("_")))
    assert levels in predecoded(fmt, fmt)[source[0]]
    return int(fmt.magnitudes[code] in levels)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("name", "bits", "luts"), [("dybit4", 9, 15), ("e2m1", 8, 14)])
def test_found_tables_are_the_bits_of_every_product(name: str, bits: int, luts: int, masked: bool) -> None:
    fmt = parse_format(name)
    tables = product_tables(fmt, fmt, masked=masked)
    for x, first in enumerate(fmt.magnitudes):
        for w, second in enumerate(fmt.magnitudes):
            found = sum(_value(tables, fmt, str(bit), {"x": x, "w": w}) << bit for bit in range(bits))
            assert found == first * second
    assert sum(table.table != CHOICE for table in tables.values()) == luts
    assert {side: len(levels) for side, levels in predecoded(fmt, fmt).items()} == {"x": 5, "w": 5}


def test_a_choice_is_between_two_tables_that_serve_nothing_else() -> None:
    fmt = parse_format("e2m1")
    tables = product_tables(fmt, fmt, masked=False)
    used = [source for table in tables.values() for source in table.inputs.split()]
    for table in tables.values():
        if table.table == CHOICE:
            low, high, _ = table.inputs.split()
            assert {low, high} <= tables.keys()
            assert (used.count(low), used.count(high)) == (1, 1)
