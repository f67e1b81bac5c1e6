"""Max-pools: what is told of them, beside what golden model and machine make of them."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Int
from narrows.sw.quantised import MaxLayer, QuantisedTensor

POOL = MaxLayer(name="pool", source="x", output="y", kernel=(2, 2), stride=(2, 2), pads=(0, 0, 0, 0))


def tensors(zero: int, low: int) -> dict[str, QuantisedTensor]:
    x = QuantisedTensor(name="x", shape=(3, 4, 4), format=Int(4), scale=1.0, zero=zero, low=low, high=7)
    return {"x": x, "y": QuantisedTensor(**{**vars(x), "name": "y", "shape": (3, 2, 2)})}


@pytest.mark.parametrize(("zero", "low", "may"), [(-7, -7, True), (0, 0, True), (0, -1, False), (3, 3, False)])
def test_padding_may_be_stored_where_the_zero_level_is_the_lowest(zero: int, low: int, may: bool) -> None:
    assert POOL.pads_as_zero(tensors(zero, low)) is may


def test_it_pools_lanes_beyond_the_channels_of_the_words_that_it_reads() -> None:
    config = AcceleratorConfig(rows=4, columns=4, lanes=4, rescalers=2)
    stored = np.arange(8 * 16).reshape(8, 4, 4)
    found = POOL.lanes(np.zeros((3, 2, 2), dtype=np.int64), {"x": stored}, tensors(0, -7), config)
    np.testing.assert_array_equal(found, stored[:4, 1::2, 1::2])


def test_other_names_are_those_of_source_and_output() -> None:
    found = POOL.renamed({"x": "a", "y": "b", "pool": "c"})
    assert (found.name, found.sources, found.output) == ("pool", ("a",), "b")
