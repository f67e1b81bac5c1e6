"""A program's quality: its integers beside the float model, on calibration or held samples, and what may be wrong."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, ProgramError
from ..records import read_record
from ..runtime import input_doubts, prepare_input

if TYPE_CHECKING:
    from ...hw.spec.config import AcceleratorConfig
    from ..graph import Graph
    from ..listener import Listener
    from ..outputs import Output
    from ..program import Program as Compiled
    from ..quantised import QuantisedGraph
    from ..quantize import QuantSettings
    from ..quantize.rebuild import Reconstructed
    from .model import Model
    from .program import Program

__all__ = [
    "compared",
    "digest",
    "measured_quality",
    "original",
    "quality_beside",
    "recorded",
    "recorded_accuracy",
    "show_quality",
    "sound_labels",
    "checked_levels",
]

_MACS = 10**10
_SHOWN = 5
_FEWEST = 8
_EXAMINED, _AT_LEAST, _VALUES = 32, 2, 2 * 10**7  # samples whose every tensor is in memory, and values of all of them


def sound_labels(outputs: tuple[Output, ...], y: NDArray | None, listener: Listener) -> NDArray[np.int64] | None:
    """Labels as class numbers; a line on what is strange about them. InputError if the model cannot name them."""
    if y is None:
        return None
    from ..quantize.quality import checked_labels

    labels, strange = checked_labels(outputs, y)
    for line in strange:
        listener.warn(line)
    return labels


def recorded(
    program: Compiled,
    graph: Graph,
    x: NDArray,
    labels: NDArray[np.int64] | None,
    *,
    samples: str,
    verdict: dict[str, Any],
    settings: QuantSettings,
    calibration: NDArray,
    listener: Listener,
    trained: bool = False,
    requantised: bool = False,
    reconstruction: Sequence[Reconstructed] = (),
    states: Mapping[str, str] | None = None,
) -> Compiled:
    """The program with its record; the listener is told its quality.

    Parameters
    ----------
    program : narrows.sw.program.Program
    graph : Graph
        As loaded.
    x, labels : array
        What quality is measured on; see :func:`measured_quality`.
    samples : str
        What those are.
    verdict : dict
        On the import (`Model.judge`).
    settings : QuantSettings
        What it was quantised with, on the samples ``calibration``.
    trained : bool
        Whether its integers were trained from there.
    requantised : bool
        Whether the model's own integers were forgotten first.
    reconstruction : sequence of Reconstructed
        What became of its blocks, where they were reconstructed.
    states : mapping of str, optional
        What inputs of the model's file take over (`narrows.load`).
    """
    from ..quantize.prepare import equalised_unasked

    if equalised := equalised_unasked(graph, calibration, settings):
        shown = ", ".join(equalised[:_SHOWN]) + (", ..." if len(equalised) > _SHOWN else "")
        listener.note(f"note: equalised what these layers write, where channels would vanish in integers: {shown}")
    quality = measured_quality(graph, program.graph, program.config, x, labels, listener)
    show_quality(quality, samples, listener)
    warnings = _suspicions(graph, program, x, labels, calibration, quality)
    for line in warnings:
        listener.warn(line)
    record = {
        "import": verdict,
        "settings": asdict(settings),
        "trained": trained,
        "requantised": requantised,
        "equalised": equalised,
        "calibration": {"samples": len(calibration), "sha256": digest(calibration)},
        "quality": quality | {"data": samples},
        "reconstruction": [asdict(each) | {"kept": each.kept} for each in reconstruction],
        "warnings": warnings,
    }
    if states:
        record["states"] = dict(states)
    return replace(program, record=record)


def _suspicions(
    graph: Graph,
    program: Compiled,
    x: NDArray,
    labels: NDArray[np.int64] | None,
    calibration: NDArray,
    quality: dict[str, Any],
) -> list[str]:
    """What may be wrong with samples, channels and results, a line each."""
    from ...sim.golden import GoldenModel
    from ..passes import lower
    from ..quantize import suspicions
    from ..quantize.evaluate import evaluate
    from ..quantize.quality import float_tensors
    from ..runtime import prepare_input

    quantised, lowered, golden = program.graph, lower(graph), GoldenModel(program.graph, program.config)
    values = sum(math.prod(tensor.shape) for tensor in quantised.tensors.values())
    count = min(_EXAMINED, _affordable(lowered), max(_AT_LEAST, _VALUES // values))
    found = suspicions.of_quality(quantised, quality)
    levels = golden.run(prepare_input(quantised, calibration[:count]))
    found += suspicions.of_channels(quantised, evaluate(lowered, calibration[:count]), levels)
    if x is not calibration:
        held = prepare_input(quantised, x[:count])
        found += input_doubts(quantised, held, x[:count])
        found += suspicions.of_clamps(quantised, levels, golden.run(held))
    if labels is not None:
        count = quality["samples"]
        output = lowered.outputs[0]
        values = output.given(float_tensors(lowered, x[:count])[output.tensor])
        found += suspicions.of_labels(lowered.outputs, values, labels[:count])
    return found


def _affordable(lowered: Graph) -> int:
    """How many samples of a model are looked at."""
    from ..costs.work import useful_macs

    return max(_FEWEST, _MACS // max(1, useful_macs(lowered)))


def checked_levels(graph: QuantisedGraph, x: NDArray, listener: Listener) -> NDArray[np.int64]:
    """Levels of samples, as `prepare_input` gives them, and a line where the samples seem to be scaled otherwise than
    those that the program was calibrated on."""
    levels = prepare_input(graph, x)
    for line in input_doubts(graph, levels, x):
        listener.warn(line)
    return levels


def digest(samples: NDArray) -> str:
    """What tells sets of samples apart."""
    return hashlib.sha256(np.ascontiguousarray(samples, dtype=np.float32).tobytes()).hexdigest()


def measured_quality(
    graph: Graph,
    quantised: QuantisedGraph,
    config: AcceleratorConfig,
    x: NDArray,
    labels: NDArray[np.int64] | None,
    listener: Listener,
) -> dict[str, Any]:
    """Quality of a quantised graph on samples, by the golden model, as JSON holds it.

    Of models that take long, only as many samples are used as some ten thousand million multiplications do.

    Parameters
    ----------
    graph : Graph
        As loaded.
    quantised : QuantisedGraph
    config : AcceleratorConfig
    x : array, shape (N, ...)
    labels : array, shape (N,), or None
        See :func:`sound_labels`.
    """
    from ...sim.golden import GoldenModel
    from ..passes import lower
    from ..runtime import prepare_input

    lowered = lower(graph)
    count = _affordable(lowered)
    x, labels = x[:count], None if labels is None else labels[:count]
    with listener.progress("measuring quality"):
        levels = GoldenModel(quantised, config).run(prepare_input(quantised, x), keep=quantised.output_tensors)
        return compared(lowered, quantised, x, levels, labels)


def compared(
    graph: Graph, quantised: QuantisedGraph, x: NDArray, levels: Mapping[str, NDArray[np.int64]], labels: NDArray | None
) -> dict[str, Any]:
    """Quality of what an engine gave for samples, as JSON holds it; parameters as of :func:`measured_quality`."""
    from ..passes import lower
    from ..quantize.quality import float_tensors, quality_of

    return asdict(quality_of(quantised, float_tensors(lower(graph), x), levels, labels))


def original(program: Program, model: Model, x: NDArray[Any]) -> Graph:
    """The graph of the model that a program was compiled from, its import judged on samples.

    Raises
    ------
    InputError
        If the program is another model's.
    """
    model.judge(x)
    graph, own = model.graph, program.graph
    given, wanted = ([(each.name, each.shape) for each in one.outputs] for one in (graph, own))
    if given != wanted or graph.input.shape != own.input.shape:
        raise InputError(f"{model.path} is not what the program was compiled from: its input or outputs are others")
    return graph


def quality_beside(
    program: Program, model: Model | None, x: NDArray[Any], labels: NDArray[np.int64] | None
) -> Callable[[Mapping[str, NDArray[np.int64]]], dict[str, Any]] | None:
    """What makes quality of levels that an engine gives for samples, beside the program's model; None without one.

    Raises
    ------
    InputError
        If the program is another model's.
    """
    if model is None:
        return None
    graph = original(program, model, x)
    return lambda levels: compared(graph, program.graph, x, levels, labels)


def recorded_accuracy(quality: Any) -> str:
    """A line on what a program's record says of float and integers.

    Raises
    ------
    ProgramError
        If the record is not one that :func:`measured_quality` makes.
    """
    from ..quantize.quality import Quality

    try:
        values = dict(quality)
        data = values.pop("data", "samples")
        known = read_record(Quality, values)
        first = known.outputs[0]
    except (ValueError, TypeError, IndexError) as error:
        raise ProgramError(f"the program's record of its quality makes no sense ({error}): compile it again") from error
    where = f"on {known.samples} {data} when it was made"
    if known.accuracy is not None and known.float_accuracy is not None:
        return f"{where}: float {known.float_accuracy:.2%}, integers {known.accuracy:.2%}"
    agreement = "" if first.agreement is None else f"the float model's first answer in {first.agreement:.2%}, "
    noise = "no error" if first.snr_db is None else f"signal to noise {first.snr_db:.1f} dB"
    return f"{where}: {agreement}{noise}; --model shows the float model beside these samples"


def show_quality(quality: dict[str, Any], samples: str, listener: Listener) -> None:
    """Tell what :func:`measured_quality` gives; ``samples`` says of which ones."""
    rows = [
        (
            output["name"],
            "" if output["agreement"] is None else f"{output['agreement']:.2%}",
            "exact" if output["snr_db"] is None else f"{output['snr_db']:.1f} dB",
            f"{output['largest_error']:.4g} steps",
        )
        for output in quality["outputs"]
    ]
    listener.table(
        f"integers beside the float model, {quality['samples']} {samples}",
        ("output", "same first answer", "signal to noise", "largest error"),
        rows,
    )
    if quality["accuracy"] is not None:
        listener.note(f"accuracy: float {quality['float_accuracy']:.2%}, integers {quality['accuracy']:.2%}")
