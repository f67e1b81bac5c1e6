"""What a layer's sums need is held against what it states."""

from __future__ import annotations

import dataclasses

import pytest
from narrows.hw.spec.formats import DyBit
from narrows.sw.compile.certify import certify
from narrows.sw.compile.shortages import Shortages
from narrows.sw.errors import CertificateError
from random_graphs import CONFIGS


def test_a_layer_that_states_too_few_bits_is_refused(builder) -> None:
    config = CONFIGS["square"]
    build = builder(config, 1)
    output = build.mac([build.segment(build.tensor((8, 2, 2), DyBit(4)), 4, levels=[4])], (2, 2))
    graph = build.graph([output])
    layer = graph.layers[0]
    bits = certify(layer, graph, config, Shortages(config))
    assert bits <= layer.cert_bits
    assert certify(dataclasses.replace(layer, cert_bits=bits), graph, config, Shortages(config)) == bits
    with pytest.raises(CertificateError, match=rf"states {bits - 1} accumulator bits but its weights need {bits}"):
        certify(dataclasses.replace(layer, cert_bits=bits - 1), graph, config, Shortages(config))
