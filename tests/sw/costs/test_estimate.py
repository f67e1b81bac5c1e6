"""What a model would be compiled to, before its integers are known."""

from __future__ import annotations

import narrows
import pytest
from narrows.sw.costs.estimate import estimate
from narrows.sw.quantize import QuantSettings


@pytest.mark.parametrize(
    "memories", [{}, {"weight_words": 256, "act_words": 256, "param_words": 64}], ids=["roomy", "tight"]
)
def test_layers_of_known_weights_and_unknown_parameters_are_streamed(memories: dict[str, int]) -> None:
    """An average's weights are constants; its bias and multiplicand follow from calibration."""
    digits, config = narrows.example(), narrows.Config("tiny", backing="axi4", instructions=1024, **memories)
    program = digits.model.quantize(digits.calib[:32]).compile(config)
    settings = QuantSettings(weights="dybit4", acts="dybit4")
    planned = estimate(digits.model.lowered, config.core, settings, only=True).program
    assert planned is not None
    # Unknown parameters are taken to differ from each other: what is planned may only be more.
    assert len(planned.instructions) >= len(program.compiled.instructions)
    assert planned.window_bytes >= program.compiled.window_bytes
    if not memories:
        assert len(planned.instructions) == len(program.compiled.instructions)
    assert program.verify(digits.x[:1], engines=["isa"])
