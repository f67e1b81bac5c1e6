"""Kinds in program files: those of the registry, and no others."""

from __future__ import annotations

import pytest
from narrows.sw.graph_io import graph_from_parts, graph_to_parts
from narrows.sw.integer.kinds import KINDS
from narrows.sw.quantised import MacLayer, MaxLayer


def test_each_kind_has_its_name() -> None:
    assert {"mac": MacLayer, "max": MaxLayer} == KINDS


def test_a_kind_that_is_not_known_is_refused(tiny_program) -> None:
    structure, arrays = graph_to_parts(tiny_program.graph)
    structure["layers"][0]["kind"] = "min"
    with pytest.raises(ValueError, match=r"^unknown layer kind 'min'$"):
        graph_from_parts(structure, arrays)
