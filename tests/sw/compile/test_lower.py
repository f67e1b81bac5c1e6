"""Layers that the machine cannot walk are named."""

from __future__ import annotations

import pytest
from narrows.hw.spec.formats import DyBit
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError
from random_graphs import CONFIGS, NATIVE_LEVELS


def test_a_layer_with_too_wide_a_border_is_named(builder) -> None:
    build = builder(CONFIGS["square"], 1)
    source = build.tensor((2, 40, 2), DyBit(4))
    wide = {"kernel": (3, 1), "dilation": (16, 1), "pads": (16, 0, 16, 0)}
    build.mac([build.segment(source, 2, **wide, levels=NATIVE_LEVELS)], (40, 2))
    with pytest.raises(CapacityError, match=r"^layer 'l0': .* the machine counts to 15: use less padding"):
        compile_graph(build.graph(["t1"]), CONFIGS["square"])
