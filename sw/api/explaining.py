"""explain: which layers add a program's error, and what would help."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .html import table_html
from .quality import digest, original

if TYPE_CHECKING:
    from ..graph import Graph
    from ..program import Program as Compiled
    from ..quantize import QuantSettings
    from ..quantize.advice import Advice
    from ..quantize.attribution import Attribution
    from .model import Model
    from .program import Program

__all__ = ["HEADER", "Explanation", "explain"]

HEADER = ("layer", "adds", "by its weights", "by rounding", "writes")
"""Columns of `Explanation.rows`."""

_MACS, _VALUES, _MOST, _FEWEST = 2 * 10**10, 4 * 10**7, 128, 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What the layers of a program add to its error.

    Parameters
    ----------
    found : Attribution
        Layers, those that add most first.
    formats : dict of str
        What each layer writes.
    wider : QuantSettings or None
        Formats with 8 bits in the layers that add most; None where they have them, or the float model is not known.
    advice : list of Advice
        What would help, measured.
    note : str
        Why nothing was measured, where something should have been.
    """

    found: Attribution
    formats: dict[str, Any]
    wider: QuantSettings | None = None
    advice: list[Advice] = field(default_factory=list)
    note: str = ""

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Layers as `HEADER` names the columns."""
        return [
            (
                error.layer,
                f"{error.share:.1%}",
                "" if error.weights is None else f"{error.weights:.1%}",
                f"{error.output:.1%}",
                str(self.formats[error.layer]),
            )
            for error in self.found.layers
        ]

    @property
    def helps(self) -> list[str]:
        """Lines on what would help."""
        lines = []
        for each in self.advice:
            gain = "not measured" if each.gain_db is None else f"{each.gain_db:+.1f} dB"
            helps = "would help" if each.gain_db is None or each.gain_db > 0 else "would not help"
            lines.append(f"{helps}: {each.what} ({each.how}): {gain}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """The explanation as JSON holds it."""
        return asdict(self.found) | {"advice": [asdict(each) for each in self.advice]}

    def __repr__(self) -> str:
        most = self.found.layers[0]
        return (
            f"Explanation({self.found.snr_db:.1f} dB on {self.found.samples} samples; {most.layer} adds "
            f"{most.share:.1%})"
        )

    def _repr_html_(self) -> str:
        return table_html(repr(self), HEADER, self.rows)


def explain(program: Program, x: NDArray[Any], model: Model | None, *, quick: bool) -> Explanation:
    """Follow the error; arguments and errors are those of `Program.explain`."""
    from ..quantize.advice import advise, eight_bits
    from ..quantize.attribution import attribute
    from ..quantize.prepare import prepared

    compiled, listener = program.compiled, program.listener
    settings = _settings(compiled)
    graph = None if model is None else _original(program, model, x, measured=not quick)
    ready = None if graph is None else prepared(graph, x, settings)
    if ready is not None and [layer.name for layer in ready.layers] != _names(compiled, ready):
        where = "" if model is None else model.path
        raise InputError(f"{where} has other layers than the program: give the model that it was compiled from")
    with listener.progress("following the error") as progress:
        found = attribute(compiled.graph, x[: _count(compiled, len(x))], ready, progress)
    formats = {layer.name: compiled.graph.tensors[layer.output].format for layer in compiled.graph.layers}
    formats["(input)"] = compiled.graph.tensors[compiled.graph.input.tensor].format
    if graph is None or ready is None:
        return Explanation(found=found, formats=formats)
    wider = eight_bits(found, ready, settings)
    if quick:
        return Explanation(found=found, formats=formats, wider=wider)
    if not compiled.record.get("settings"):
        note = "the program does not say how it was quantised: compile it again to see what would help"
        return Explanation(found=found, formats=formats, wider=wider, note=note)
    with listener.progress("measuring what would help") as progress:
        trained = bool(compiled.record.get("trained"))
        advice = advise(found, graph, x, settings, compiled.config, trained=trained, progress=progress)
    return Explanation(found=found, formats=formats, wider=wider, advice=advice)


def _names(program: Compiled, ready: Graph) -> list[str]:
    """Layers of a program by name, without those in place of max-pools that the core has no unit for."""
    from ..compile.maxima import part_of
    from ..layers import MaxPool

    pools = {layer.name for layer in ready.layers if isinstance(layer, MaxPool)}
    return [layer.name for layer in program.graph.layers if part_of(layer.name) not in pools]


def _original(program: Program, model: Model, x: NDArray[Any], *, measured: bool) -> Graph:
    """The float model as the program saw it; who wants gains ``measured`` is told if that is on other samples."""
    from ..quantize.trained import forget_integers

    graph = original(program, model, x)
    record = program.compiled.record
    known = record.get("calibration", {}).get("sha256")
    if measured and known is not None and known != digest(x):
        program.listener.warn(
            "these are not the samples that the program was calibrated on: gains are of a model quantised on these"
        )
    return forget_integers(graph) if record.get("requantised") else graph


def _settings(program: Compiled) -> QuantSettings:
    """What a program was quantised with, as far as its record says."""
    from ..quantize import LayerFormats, QuantSettings

    values: dict[str, Any] = dict(program.record.get("settings", {}))
    layers = {name: LayerFormats(**own) for name, own in values.pop("layers", {}).items()}
    return QuantSettings(**values, layers=layers)


def _count(program: Compiled, given: int) -> int:
    """Samples that take neither too long nor too much memory."""
    graph = program.graph
    work = sum(
        int(segment.weights.size * np.prod(graph.tensors[layer.output].shape[1:]))
        for layer in graph.layers
        for segment in getattr(layer, "segments", ())
    )
    values = sum(int(np.prod(tensor.shape)) for tensor in graph.tensors.values())
    affordable = min(_MACS // max(1, work * len(graph.layers)), _VALUES // max(1, values), _MOST)
    return min(given, max(_FEWEST, affordable))
