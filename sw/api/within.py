"""formats_within: formats layer by layer whose answers stay within some points of the float model's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CapacityError, CertificateError, InputError

if TYPE_CHECKING:
    from ...hw.spec.config import AcceleratorConfig
    from ..quantize import QuantSettings
    from ..search.widening import Answered
    from .quantised import Held, Quantised

__all__ = ["formats_within"]

_AT_ONCE = 250  # samples: all tensors of so many are in memory


def formats_within(plan: Quantised, core: AcceleratorConfig, held: Held, points: float) -> QuantSettings:
    """The plan's formats for a core, with 8 bits in as few places as keep agreement within ``points`` on ``held``.

    The listener is told what they cost and gain.

    Raises
    ------
    InputError
        If ``points`` are out of range, or the first output names no class.
    CapacityError
        If the core has no formats that agree so well.
    """
    from ...sim.golden import GoldenModel
    from ..compile import compile_graph
    from ..costs.timeline import timeline
    from ..quantize import quantise
    from ..quantize.quality import float_tensors
    from ..runtime.tensors import prepare_input
    from ..search.space import knobs_of
    from ..search.widening import WIDE, Answered, widen

    if not 0 <= points < 100:
        raise InputError(f"--within takes points of agreement from 0 to below 100, not {points:g}")
    output = plan.lowered.outputs[0]
    if output.elements(np.zeros((1, *plan.lowered.tensors[output.tensor]))).size < 2:
        raise InputError("--within needs a model whose first output scores classes: this one gives a number a sample")
    knobs = knobs_of(plan.lowered)
    floats = output.elements(float_tensors(plan.lowered, held.x)[output.tensor]).reshape(len(held.x), -1)
    wanted = output.answers(floats, raw=True)

    def answered(settings: QuantSettings) -> Answered | None:
        try:
            plain = replace(settings, reconstruct=False)  # minutes each: only what is chosen is reconstructed
            graph = quantise(plan.graph, plan.calibration, plain, core)
            program = compile_graph(graph, core)
        except (CertificateError, CapacityError):
            return None
        golden, tensor = GoldenModel(graph, core), graph.tensors[graph.outputs[0].tensor]
        parts = [
            golden.run(prepare_input(graph, held.x[first : first + _AT_ONCE]))[tensor.name]
            for first in range(0, len(held.x), _AT_ONCE)
        ]
        given = output.elements((np.concatenate(parts) - tensor.zero) * tensor.scale).reshape(floats.shape)
        missed = np.square(given - floats).mean() / max(float(np.square(floats).mean()), np.finfo(float).tiny)
        agreement = float((output.answers(given, raw=True) == wanted).mean())
        return Answered(agreement=agreement, error=float(np.sqrt(missed)), cycles=timeline(program).cycles)

    with plan.listener.progress("choosing formats") as progress:
        start = plan.formats(core).for_layers(plan.lowered.layers)
        found = widen(knobs, start, 1 - points / 100, answered=answered, progress=progress)
    places = ", ".join(f"{knob.layer} ({knob.kind})" for knob in found.knobs)
    plan.listener.note(
        f"{WIDE} in {len(found.knobs)} of {len(knobs)} places{': ' if places else ''}{places}: the float model's first "
        f"answer on {found.answered.agreement:.2%} of {len(held.x)} {held.what} for {found.answered.cycles:,} cycles "
        f"(without: {found.start.agreement:.2%}, {found.start.cycles:,})"
    )
    return found.settings
