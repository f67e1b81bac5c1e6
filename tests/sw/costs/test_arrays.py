"""The cost table reproduces what was synthesised."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig, bases_of
from narrows.sw.costs import arrays
from narrows.sw.costs.arrays import cost_table
from narrows.sw.errors import InputError

POINTS = json.loads((Path(arrays.__file__).parent / "arrays.json").read_text())["points"]
TABLE = cost_table()


def config(point):
    names = [name for name in ("rows", "columns", "lanes", "acc_bits", "rescale_bits") if name in point]
    base = point["unit"] if point["unit"] in TABLE.arrays else "dybit4"
    return AcceleratorConfig(**bases_of(base), rescalers=1, **{name: point[name] for name in names})


@pytest.mark.parametrize("point", POINTS, ids=lambda point: " ".join(map(str, point.values())))
def test_synthesised_points(point):
    if point["unit"].startswith("int8"):
        assert TABLE.integer_unit <= point["lut"] / (point["rows"] * point["columns"] * point["lanes"])
        return
    priced = TABLE.rescalers(config(point)) if point["unit"] == "rescaler" else TABLE.array(config(point))
    assert priced == pytest.approx(point["lut"], rel=TABLE.error + 1e-9)


def test_fits_are_close():
    assert TABLE.error < 0.04


def test_what_widths_cost():
    medium = PRESETS["medium"]
    assert TABLE.array(replace(medium, acc_bits=24)) > TABLE.array(medium) > TABLE.array(replace(medium, base="int4"))
    assert TABLE.rescalers(replace(medium, rescale_bits=8)) > TABLE.rescalers(medium)
    assert TABLE.rescalers(medium) == pytest.approx(4 * TABLE.rescalers(replace(medium, rescalers=1)))


def test_a_base_that_was_not_synthesised():
    with pytest.raises(InputError, match=r"^no array in base int2 is priced: choose among dybit4, int4, "):
        TABLE.array(AcceleratorConfig(base="int2", planes=0))
