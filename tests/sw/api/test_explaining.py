"""explain, with the model beside a program whose layers are not quite the model's."""

from __future__ import annotations

from dataclasses import replace

import narrows
import pytest


def explained(config: narrows.Config, program: narrows.Program | None = None) -> narrows.Explanation:
    digits = narrows.example()
    made = program or digits.model.quantize(digits.calib[:32]).compile(config)
    loaded = narrows.Program(made.compiled)
    return loaded.explain(digits.calib[:32], model=digits.model, quick=True)


def test_a_core_without_a_max_pool_unit_adds_no_error_of_its_own() -> None:
    with_unit = explained(narrows.Config("tiny"))
    without = explained(narrows.Config("tiny", max_pool=0, planes=4))
    assert without.rows == with_unit.rows
    assert without.found.snr_db == with_unit.found.snr_db


def test_a_model_of_other_layers_is_refused() -> None:
    digits = narrows.example()
    program = digits.model.quantize(digits.calib[:32]).compile("tiny")
    graph, other = program.compiled.graph, "other part 1"
    first, *others = graph.layers
    compiled = replace(
        program.compiled,
        graph=replace(graph, layers=(replace(first, name=other), *others)),
        layers=tuple(other if name == first.name else name for name in program.compiled.layers),
    )
    with pytest.raises(narrows.NarrowsError, match="has other layers than the program"):
        explained(narrows.Config("tiny"), narrows.Program(compiled))
