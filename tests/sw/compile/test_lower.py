"""Layers that the machine cannot walk are named."""

from __future__ import annotations

import pytest
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.layout import TensorLayout
from narrows.sw.compile.lower import lower_layer
from narrows.sw.errors import CapacityError
from random_graphs import CONFIGS, NATIVE_LEVELS


def test_a_layer_with_too_wide_a_border_is_named(builder) -> None:
    config = CONFIGS["square"]
    build = builder(config, 1)
    source = build.tensor((2, 40, 1), DyBit(4))
    output = build.mac([build.segment(source, 2, pads=(16, 0, 0, 0), levels=NATIVE_LEVELS)], (40, 1))
    graph = build.graph([output])
    plain = {
        name: TensorLayout(channels=2, height=40, width=1, lanes=config.lanes, planes=1) for name in (source, output)
    }
    with pytest.raises(CapacityError, match=r"^layer 'l0': .* the machine counts to 15: use less padding"):
        lower_layer(graph.layers[0], graph, plain, config)
