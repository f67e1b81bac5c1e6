"""What would help a program: other formats, equalisation, more samples, each measured by quantising the model again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..errors import CapacityError, CertificateError
from ..graph import Graph
from ..layers import Mac
from ..quantised import QuantisedGraph
from .attribution import Attribution, leftover
from .kept import is_kept
from .prepare import prepared
from .quantise import quantise
from .settings import LayerFormats, QuantSettings

__all__ = ["Advice", "advise", "eight_bits"]

Progress = Callable[[int, int], None]

_EIGHT, _BITS = "int8", 8
_LAYERS, _COVERED = 3, 0.8
"""Layers that are given 8 bits: those that add most, until so much of what layers add is covered."""

_PART = 0.2
"""Part of a layer's share from which on its weights, or what it writes, are given 8 bits."""

_SPREAD = 1.0
"""Decibels between samples that were calibrated on and others from which on more calibration is advised."""

_TRIALS = 6

_WIDEST = 16
"""Bits of a multiplicand with which trained integers step where they were trained to in nearly all channels."""

_GOOD = 30.0
"""Decibels from which on training would be for nothing."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Something to try, how, and the decibels that it gained where it was tried; None: it was not."""

    what: str
    how: str
    gain_db: float | None = None


def eight_bits(attribution: Attribution, graph: Graph, settings: QuantSettings) -> QuantSettings | None:
    """The settings with 8 bits in the layers that add most noise; None if those have them already.

    Parameters
    ----------
    attribution : Attribution
    graph : Graph
        As it was quantised (`prepare.prepared`).
    settings : QuantSettings
        What the program was quantised with.
    """
    macs = {layer.name: layer for layer in graph.layers if isinstance(layer, Mac) and not is_kept(layer, graph)}
    current = settings.for_layers(macs.values())
    layers, covered = dict(current.layers), 0.0
    added = sum(max(error.share, 0.0) for error in attribution.layers)
    for error in attribution.layers:
        if error.share <= 0 or covered >= _COVERED * added or len(layers) - len(current.layers) >= _LAYERS:
            break
        covered += error.share
        layer = macs.get(error.layer)
        if layer is None:
            continue
        own = layers.get(error.layer, LayerFormats())
        learned = any(not term.constant for term in layer.terms)
        narrow_weights = learned and current.weight_format(error.layer, edge=False).bits < _BITS
        narrow_acts = layer.output not in graph.output_tensors and current.act_format(error.layer).bits < _BITS
        if narrow_weights and (error.weights is None or error.weights >= _PART * error.share):
            own = replace(own, weights=_EIGHT)
        if narrow_acts and error.output >= _PART * error.share:
            own = replace(own, acts=_EIGHT)
        if own != layers.get(error.layer, LayerFormats()):
            layers[error.layer] = own
    return replace(current, layers=layers) if layers != dict(current.layers) else None


def _bits(settings: QuantSettings, layer: Mac) -> int:
    """The narrower of a layer's formats."""
    return min(settings.weight_format(layer.name, edge=False).bits, settings.act_format(layer.name).bits)


def advise(
    attribution: Attribution,
    graph: Graph,
    calibration: NDArray,
    settings: QuantSettings,
    config: AcceleratorConfig,
    *,
    trained: bool = False,
    progress: Progress | None = None,
) -> list[Advice]:
    """What would help, with the gain in signal over noise on the calibration samples, the largest first.

    Parameters
    ----------
    attribution : Attribution
        Of the program.
    graph : Graph
        The float model as a frontend makes it.
    calibration : array, shape (N, ...)
    settings : QuantSettings
        What the program was quantised with.
    config : AcceleratorConfig
    trained : bool
        Whether the program's integers were trained: quantising again would not give it.
    progress : callable, optional
        Called with (trials done, trials in all).
    """
    tell = progress or (lambda done, total: None)
    ready = prepared(graph, calibration, settings)
    found: list[Advice] = []

    def quality(quantised: QuantisedGraph, samples: NDArray) -> float:
        return -10 * float(np.log10(max(leftover(quantised, samples, ready), 1e-30)))

    def tried(what: str, how: str, other: QuantSettings, core: AcceleratorConfig = config) -> Advice:
        try:
            after = quality(quantise(graph, calibration, other, core), calibration)
        except (CapacityError, CertificateError) as error:
            return Advice(what=what, how=f"{how}; the core does not hold it: {error}")
        return Advice(what=what, how=how, gain_db=round(after - before, 2) + 0.0)

    settings = replace(settings, reconstruct=False)  # minutes a trial
    macs = [layer for layer in ready.layers if isinstance(layer, Mac)]
    learned = [layer for layer in macs if not is_kept(layer, ready)]
    own = settings.for_layers(macs)
    tell(0, _TRIALS)
    before = quality(quantise(graph, calibration, settings, config), calibration)
    tell(1, _TRIALS)
    wider = eight_bits(attribution, ready, settings)
    if wider is not None:
        named = [name for name in wider.layers if wider.layers[name] != settings.layers.get(name)]
        found.append(tried(f"8 bits in {', '.join(named)}", "compile --formats, see --output", wider))
    tell(2, _TRIALS)
    if any(_bits(own, layer) < _BITS for layer in learned):
        everywhere = replace(settings, weights=_EIGHT, acts=_EIGHT, edge_weights=None, layers={})
        found.append(tried("8 bits everywhere", "compile --weights int8 --acts int8", everywhere))
    tell(3, _TRIALS)
    if learned and not settings.equalise:
        found.append(tried("equalised channels", "compile --equalise", replace(settings, equalise=True)))
    tell(4, _TRIALS)
    if len(learned) < len(macs) and config.rescale_bits < _WIDEST:
        core = replace(config, rescale_bits=_WIDEST)
        how = f"compile --rescale-bits {_WIDEST}"
        found.append(tried("trained integers that step where the model does", how, settings, core))
    tell(5, _TRIALS)
    half = len(calibration) // 2
    if learned and half >= 2:
        part = quantise(graph, calibration[::2], settings, config)
        spread = quality(part, calibration[::2]) - quality(part, calibration[1::2])
        if spread >= _SPREAD:
            what = f"more calibration samples: half of them leave the other half {spread:.1f} dB behind"
            found.append(Advice(what=what, how="compile --calib"))
    if learned and not trained and attribution.snr_db < _GOOD:
        found.append(Advice(what="trained integers", how="train"))
    tell(_TRIALS, _TRIALS)
    return sorted(found, key=lambda each: -(each.gain_db if each.gain_db is not None else -np.inf))
