"""load_judged: a model as commands load it, held against another runtime before anything is made of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..errors import InputError
from .output import report_done, warn

if TYPE_CHECKING:
    from ..frontend import Imported
    from ..frontend.onnx_file import Shapes
    from ..graph import Graph
    from ..program import Program

__all__ = ["judged", "load_judged", "load_original"]


def load_judged(
    model: Path, samples: NDArray | None = None, *, calibrates: bool = True, shapes: Shapes | None = None
) -> tuple[Graph, dict[str, Any]]:
    """The graph of a model file, and the verdict on its import as JSON holds it; a line on standard output says both.

    Parameters
    ----------
    model : Path
        ONNX or TFLite.
    samples : array, shape (N, ...), optional
        As the model takes them: calibration samples, or what a command has.
    calibrates : bool
        Whether scales are going to be chosen on them: lines say what is strange about them then.
    shapes : mapping of sequence of int, optional
        Sizes of axes that the file leaves open, by input.

    Raises
    ------
    ModelError, UnsupportedOperator
        As `frontend.load_model` does.
    InputError
        If the samples do not fit the model.
    ImportMismatch
        If the model was read wrongly.
    """
    from ..frontend import import_model
    from ..quantize.calibration import checked_samples
    from ..quantize.suspicions import of_samples

    imported = import_model(model, shapes)
    verdict = judged(model, imported, None if samples is None else checked_samples(imported.graph, samples))
    if samples is not None and calibrates:
        for line in of_samples(imported.graph, samples):
            warn(line)
    return imported.graph, verdict


def judged(model: Path, imported: Imported, samples: NDArray | None = None) -> dict[str, Any]:
    """The verdict on an import as JSON holds it, said in a line; arguments and errors as `reference.judge` has them."""
    from ..reference import judge

    verdict = judge(model, imported, samples)
    report_done(str(verdict))
    return asdict(verdict)


def load_original(model: Path, program: Program, samples: NDArray) -> Graph:
    """The graph of the model that a program was compiled from, its import judged on ``samples``.

    Raises
    ------
    InputError
        If the program is another model's.
    """
    shapes = {program.graph.input.tensor: (1, *program.graph.input.shape)}  # of axes that the file may leave open
    graph, _ = load_judged(model, samples, calibrates=False, shapes=shapes)
    given, wanted = ([(each.name, each.shape) for each in one.outputs] for one in (graph, program.graph))
    if given != wanted or graph.input.shape != program.graph.input.shape:
        raise InputError(f"{model} is not what the program was compiled from: its input or outputs are others")
    return graph
